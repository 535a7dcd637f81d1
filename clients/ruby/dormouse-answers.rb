# frozen_string_literal: true

# What is told of an error. Part of dormouse.rb.
module Dormouse
  UNSHOWN = '(its message cannot be shown)'

  class << self
    # Whatever the error does when it is asked, there is an answer: what is raised here would end the process.
    def answer_of_error(run, error)
      JSON.generate(failed(run, run.attempt.to_i >= run.max_attempts.to_i ? origin(error) : error).compact)
    rescue Exception
      JSON.generate({ type: 'failed', id: run.id, class: 'Error', message: UNSHOWN })
    end

    private

    # What an attempt that does not complete has asked for is not enqueued; the run's log says so.
    def drop(run)
      count = run.enqueued.size
      run.enqueued.clear
      run.log("#{count} follow-up run#{count == 1 ? ' is' : 's are'} dropped: the attempt did not complete", 'warning') if count.positive?
    end

    # What a Retry was raised from.
    def origin(error)
      passes = !error.is_a?(Retry) || error.is_a?(Snooze) || error.cause.nil? || error.cause.is_a?(Snooze)
      passes ? error : origin(error.cause)
    end

    def message_of(error)
      utf8(error.message)
    rescue Exception
      UNSHOWN
    end

    def failed(run, error)
      return { type: 'failed', id: run.id, class: 'Cancelled', message: "cancelled: #{run.cancel_reason}" } if error.is_a?(Cancelled)
      return { type: 'retry', id: run.id, in: error.in_, message: text(message_of(error)) } if error.is_a?(Snooze)

      kind = error.is_a?(Unfit) ? error.kind : error.class.name.to_s.delete_prefix('Dormouse::')
      said = [Fail, Retry, Unfit].any? { |own| error.is_a?(own) } ? message_of(error) : story(error)
      { type: 'failed', id: run.id, class: kind, message: text(said), in: (error.in_ if error.is_a?(Retry)),
        permanent: (true if permanent?(run, error)) }
    end

    def permanent?(run, error)
      return error.permanent if error.is_a?(Fail)
      return error.is_a?(Unfit) if error.is_a?(Unfit) || error.is_a?(Retry)

      _, retry_on, no_retry_on = @tasks[run.task]
      no_retry_on&.any? { |one| error.is_a?(one) } || (retry_on && retry_on.none? { |one| error.is_a?(one) })
    end

    # The message, the user's own frames, and what it was caused by.
    def story(error, depth = 0)
      frames = (error.backtrace || []).reject { |frame| frame.start_with?("#{__dir__}/dormouse") }
      own = frames.reject { |frame| frame.include?('/gems/') || frame.start_with?(RbConfig::CONFIG['rubylibdir'], '<internal:') }
      frames = frames.first(3) | (own.first(3) | own.last(3)) # where it was raised, and the author's own
      lines = [message_of(error), *frames.map { |frame| "    from #{frame[0, 300]}" }]
      lines << "caused by #{error.cause.class}: #{story(error.cause, depth + 1)}" if error.cause && depth < 5
      lines.map { |line| utf8(line) }.join("\n")
    end
  end
end
