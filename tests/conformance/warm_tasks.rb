# frozen_string_literal: true

# The tasks of the conformance suite in Ruby; exec_tasks.py and its like have the same ones.
require ARGV.shift

class ValueError < StandardError; end

class MumblingError < StandardError
  def message = raise(TypeError, 'no word')
end

wait = lambda do |run|
  run.log('began')
  sleep 300 # no process outlives a test that was ended
end

Dormouse.task('echo') { |payload| payload }
Dormouse.task('context') do |_, run|
  { id: run.id, task: run.task, queue: run.queue, attempt: run.attempt.to_s, max_attempts: run.max_attempts.to_s, fence: run.fence,
    traceparent: run.traceparent, deadline: run.deadline }
end
Dormouse.task('nothing') { nil }
Dormouse.task('fails') { raise ValueError, 'no such thing' }
Dormouse.task('fails_for_good') { raise Dormouse::Fail, 'never' }
Dormouse.task('later') { raise Dormouse::Snooze.new('busy', in_: 30) }
Dormouse.task('says') do |_, run|
  run.progress(0.5, 'half')
  run.log('careful', 'warning')
  run.enqueue('next', { n: 1 })
  1
end
Dormouse.task('sized') { |payload| 'x' * (payload - 2) }
Dormouse.task('floods') do |payload, run|
  payload.times { run.log('y' * 1000) }
  true
end
Dormouse.task('misnames') do |_, run|
  run.enqueue('next', nil, attempts: 2)
  run.log('the work is done')
end
Dormouse.task('prints') do |payload|
  $stderr.sync = false # as a logger may have it
  [$stdout, $stderr].zip(%w[stdout stderr]) { |stream, name| stream.write("#{'x' * 999}\n" * 400, "the last of #{name}\n") }
  raise ValueError, 'no such thing' if payload == 'fails'
end
Dormouse.task('verbose') do |_, run|
  run.log('ü' * 5_000)
  run.progress(0.5, 'ü' * 500)
  raise 'ü' * 10_000
end
Dormouse.task('hoards') do |payload, run|
  run.enqueue('next', 'x' * payload)
  nil
end
Dormouse.task('arguments') { ARGV }
Dormouse.task('quiet') do |_, run|
  run.heartbeat(0.3)
  wait.call(run)
end
Dormouse.task('waits') { |_, run| wait.call(run) }
Dormouse.task('stubborn') do |_, run|
  wait.call(run)
rescue Dormouse::Cancelled
  sleep 300
end
Dormouse.task('dies') { Process.kill('KILL', Process.pid) && sleep }
Dormouse.task('says_its_pid') do |_, run|
  run.log(Process.pid.to_s)
  wait.call(run)
end
Dormouse.task('unfit') do |what|
  circle = {}
  circle[:b] = circle
  one = { 'nan' => Float::NAN, 'infinity' => -Float::INFINITY, 'function' => -> { 1 }, 'text' => "\xff", 'nul' => "a\0b" }[what]
  { a: [1, what == 'circle' ? circle : { b: one }] }
end
Dormouse.task('has_pid') { Process.pid }
Dormouse.task('starts') do |_, run|
  run.log(Process.spawn('sleep 300').to_s)
  wait.call(run)
end
Dormouse.task('shells') do |payload, run|
  system(payload)
  wait.call(run)
end
Dormouse.task('blocks') do |payload, run|
  run.log('began')
  system(payload)
  'done'
end
Dormouse.task('fails_because') do
  raise IOError, 'the disk is full'
rescue IOError
  raise ValueError, 'no such thing'
end
Dormouse.task('drops') do |payload, run|
  2.times { |n| run.enqueue('next', n) }
  wait.call(run) if payload == 'waits'
  raise Dormouse::Snooze.new('busy', in_: 30) if payload == 'later'

  raise ValueError, 'no such thing'
end
Dormouse.task('gives_up') do
  raise ValueError, 'no such thing'
rescue ValueError
  raise Dormouse::Retry.new('busy', in_: 30)
end
Dormouse.task('mumbles') do |payload|
  raise MumblingError unless payload == 'result'

  Class.new { def to_json(*) = raise(MumblingError) }.new
end
Dormouse.task('divides') do |_, run|
  if (child = fork)
    Process.wait(child)
    next 'once'
  end
  run.log('the child')
  'twice'
end
Dormouse.task('forks') { Process.spawn('sleep 300', pgroup: true, out: '/dev/null', err: '/dev/null') }
Dormouse.task('gated') do |payload, run|
  File.write("#{payload}/marks", "#{run.id} #{run.fence} #{Process.pid}\n", mode: 'a')
  File.open("#{payload}/gate").close
  run.fence
end
Dormouse.serve
