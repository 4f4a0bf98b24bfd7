# What the tests need of Redmine; prints how to reach it.
Redmine::DefaultData::Loader.load('en')
Setting.rest_api_enabled = '1'
Setting.text_formatting = 'textile'
admin = User.find_by_login('admin')
admin.must_change_passwd = false
admin.save!
field = IssueCustomField.create!(
  name: 'Falco Herald', field_format: 'string', is_filter: true, is_for_all: true,
  trackers: Tracker.all.to_a, max_length: 64
)
Project.create!(
  name: 'Security', identifier: 'sec', enabled_module_names: ['issue_tracking'],
  trackers: Tracker.all.to_a
)
puts JSON.generate(key: admin.api_key, field: field.id)
