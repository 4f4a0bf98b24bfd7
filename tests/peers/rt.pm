# The configuration of the Request Tracker that the tests start.
Set($rtname, 'example.com');
Set($Organization, 'example.com');
Set($WebPath, '');
Set($WebDomain, '127.0.0.1');
Set($WebPort, $ENV{RT_PORT});
Set($DatabaseType, 'SQLite');
Set($DatabaseName, "$ENV{RT_HOME}/rt.db");
Set($MailCommand, 'testfile');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
# The whole ticket in one page, without scripts that fetch the rest.
Set($ShowHistory, 'always');
$RT::VarPath = $ENV{RT_HOME};
$RT::MasonDataDir = "$ENV{RT_HOME}/mason";
$RT::MasonSessionDir = "$ENV{RT_HOME}/session";
1;
