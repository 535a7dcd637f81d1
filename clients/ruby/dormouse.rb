# frozen_string_literal: true

# Warm handlers of dormouse in Ruby, 3.0 or later, without dependencies: a process that serves one run after the other.
#
#   require '/usr/share/dormouse/clients/ruby/dormouse'
#
#   Dormouse.task('thumbnail') { |payload, run| { bytes: make_thumbnail(payload['file']) } }
#   Dormouse.serve
#
# The pool's command is ["/usr/bin/ruby", "/srv/app/tasks.rb"]. `ruby tasks.rb --run thumbnail '{"file":"a.png"}'` runs it once, here and now.
require 'json'
require_relative 'dormouse-answers'
require_relative 'dormouse-children'
require_relative 'dormouse-json'
require_relative 'dormouse-link'

module Dormouse
  VERSION = '0.1.0'
  MOST_TEXT = 16_384 # the worker cuts texts at 8 KiB, and says so: more need not be sent
  MOST_RESULT = Integer(ENV['DORMOUSE_RESULT_BYTES'] || 1 << 62)
  MORE_IN_A_MESSAGE = 65_536 # than that; for one that is longer the worker kills the process
  YEAR = 365 * 24 * 3600
  LEVELS = %w[debug info warning error].freeze
  NEXT = %w[queue priority run_at delay key max_attempts timeout traceparent watched].freeze

  # It has failed, and is tried again in so many seconds (without `in_` as the task's backoff says), while attempts are left. Where none is, the
  # run's error is what it was raised from.
  class Retry < StandardError
    attr_reader :in_

    def initialize(message = '', in_: nil)
      super(message)
      @in_ = in_ && Dormouse.seconds('in_', in_)
    end
  end

  # Not now: again in so many seconds (without `in_` the task's backoff.base). Uses up no attempt (unless the task says snooze_counts).
  class Snooze < Retry; end

  # It has failed for good; with `permanent: false` it is tried again.
  class Fail < StandardError
    attr_reader :permanent

    def initialize(message = '', permanent: true)
      super(message)
      @permanent = permanent
    end
  end

  # Raised where the handler is when its run is to end soon. No StandardError: `rescue => e` lets it pass.
  class Cancelled < Exception; end

  # What cannot be sent: the same work would come to the same.
  class Unfit < StandardError
    attr_reader :kind

    def initialize(kind, message)
      super(message)
      @kind = kind
    end
  end

  # The run a handler is executed for.
  class Run
    attr_reader :id, :task, :queue, :payload, :attempt, :max_attempts, :fence, :deadline, :traceparent, :enqueued
    attr_accessor :cancel_reason, :children, :below # canceled, leaving, lease_lost, timeout; those of the process when it began; its own when it was told

    def initialize(message, link)
      @link = link
      @enqueued = []
      %w[id task queue payload attempt max_attempts fence deadline traceparent].each do |name|
        instance_variable_set("@#{name}", message[name])
      end
    end

    def cancelled? = !cancel_reason.nil?

    # How far it is, 0 to 1, and a word about it: progress(0.5, 'half'), progress('begins'). The latest counts.
    def progress(fraction, text = nil)
      fraction, text = nil, fraction if fraction.is_a?(String)
      say('progress', fraction: fraction && Float(fraction).clamp(0.0, 1.0), text: text && Dormouse.text(Dormouse.words(text)))
    end

    # A line of the run's log; several, if the text has line breaks.
    def log(text, level = 'info')
      raise ArgumentError, "the level #{level} of a log line; there are #{LEVELS.join(', ')}" unless LEVELS.include?(level)

      Dormouse.utf8(Dormouse.words(text)).split(/\r\n|\r|\n/).each { |line| say('log', level: level, text: Dormouse.text(line)) }
    end

    # A shorter deadline: the run is timed out unless the next heartbeat comes within so many seconds. 0 ends that.
    def heartbeat(within) = say('heartbeat', within: Dormouse.seconds('within', within))

    # Another run, enqueued in the transaction that completes this one. The members are those of dormouse.enqueue(): queue, key, run_at, …
    def enqueue(task, payload = nil, **members)
      wrong = members.keys.map(&:to_s) - NEXT # told where it is written, and not when the work is done
      raise ArgumentError, "run.enqueue('#{task}'): there is no #{wrong.join(', ')}; there are #{NEXT.join(', ')}" if wrong.any?

      @enqueued << Dormouse.json({ task: task, payload: payload, **members }, "what is enqueued for #{task}")
    end

    private

    def say(type, **said) = @link.say({ type: type, id: id, **said.compact })
  end

  @tasks = {}

  class << self
    # Registers a block |payload, run| as the handler of a task. After errors of `retry_on`, and no others, a run is tried again; after those
    # of `no_retry_on` it is not. Retry and Fail say so themselves.
    def task(name, retry_on: nil, no_retry_on: [], &handle)
      raise ArgumentError, "task #{name}: it has no block" unless handle
      raise ArgumentError, "two blocks for the task #{name}" if @tasks.key?(name)

      @tasks[name] = [handle, retry_on && Array(retry_on), Array(no_retry_on)]
    end

    # Executes runs until the worker closes its socket; then finishes what runs, and returns.
    def serve
      abort 'dormouse: no task is registered: call Dormouse.task before Dormouse.serve' if @tasks.empty?
      descriptor = ENV.delete('DORMOUSE_CONTROL_FD') # what is started from here is not spoken to
      return by_hand(*ARGV) if descriptor.nil? || ARGV[0] == '--run'

      $stdout.sync = true
      Link.new(UNIXSocket.for_fd(Integer(descriptor)), @tasks.keys.sort).serve
    end

    def seconds(name, value)
      number = Float(value)
      raise ArgumentError, "#{name}: #{value}; it is a number of seconds, 0 or more" unless number >= 0

      [number, YEAR].min
    end

    def answer_of(run)
      handle, = @tasks[run.task]
      raise Fail.new("this process has no task #{run.task}; it has #{@tasks.keys.join(', ')}", permanent: false) unless handle

      completed(run, yield(handle))
    rescue Exception => e # exit, too, is the run's and not the process'
      drop(run)
      answer_of_error(run, e)
    end

    private

    def completed(run, result)
      drop(run) if run.cancel_reason == 'timeout' # no answer counts any more
      line = +%({"type":"completed","id":"#{run.id}")
      line << ',"result":' << fitting('the result is', json(result, 'the result')) unless result.nil?
      line << ',"enqueue":' << fitting('what it enqueues is', "[#{run.enqueued.join(',')}]") unless run.enqueued.empty?
      fitting('the result and what it enqueues are together', line << '}', MOST_RESULT + MORE_IN_A_MESSAGE)
    end

    def fitting(what, text, most = MOST_RESULT)
      return text if text.bytesize <= most

      raise Unfit.new('result_too_large', "#{what} larger than #{MOST_RESULT} bytes (limits.result_bytes)")
    end

    # The exit code is as a handler of the kind exec has it: 0, 75 for "retry later", 1 for failed; 2 if it was called wrongly.
    def by_hand(run = nil, name = nil, payload = 'null', *more)
      if run != '--run' || !@tasks.key?(name) || more.any?
        warn "#{$PROGRAM_NAME}: a warm handler of dormouse: a pool starts it and gives it runs of #{@tasks.keys.join(', ')}.\n" \
             "To try one: dormouse try TASK --payload JSON, or without a pool: ruby #{$PROGRAM_NAME} --run TASK [JSON]"
        exit 2
      end
      attempt = Run.new({ 'id' => '00000000-0000-0000-0000-000000000000', 'task' => name, 'queue' => '', 'attempt' => 1, 'max_attempts' => 1,
                          'payload' => JSON.parse(payload) }, ByHand)
      answer = JSON.parse(answer_of(attempt) { |handle| handle.call(attempt.payload, attempt) })
      puts JSON.generate(answer['result']) if answer['type'] == 'completed'
      warn answer.values_at('class', 'message').compact.join(': ') if answer['type'] != 'completed'
      exit({ 'completed' => 0, 'retry' => 75 }.fetch(answer['type'], 1))
    end
  end

  module ByHand # what a run says that is tried by hand
    def self.say(message) = warn("#{message[:level] || message[:type]}: #{message[:text] || JSON.generate(message.slice(:fraction, :within))}")
  end
end
