require '/usr/share/dormouse/clients/ruby/dormouse'

Dormouse.task('hello') { |payload| { hello: payload.fetch('name') } }
Dormouse.serve
