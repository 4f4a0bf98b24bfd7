# What the tests need of Request Tracker, beside what every new one has.
@CustomFields = ({
    Name => 'Falco Herald', Type => 'FreeformSingle', LookupType => 'RT::Queue-RT::Ticket',
    Queue => 'General',
});
1;
