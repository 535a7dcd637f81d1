# frozen_string_literal: true

# Of dormouse.rb: what is said between this process and the worker.
require 'json'
require 'socket'

module Dormouse
  # The conversation with the worker: a thread reads, so that a cancellation is heard while the handler is at work in the main one.
  class Link
    def initialize(socket, tasks)
      @socket = socket
      @socket.close_on_exec = true
      take_socket
      @pid = Process.pid
      @main = Thread.current
      @lock = Mutex.new
      @writing = Mutex.new
      @runs = {}
      @waiting = Queue.new
      say({ type: 'hello', protocol: 1, tasks: tasks, concurrency: 1, client: "ruby #{VERSION}" })
    end

    # One process is spoken to: the first that serves. The lock is that process's alone, and no forked child's.
    def take_socket
      lock = [1, 0, 0, 0, 0].pack('ssx4qqlx4') # struct flock, F_WRLCK
      @socket.fcntl(6, lock.dup) # F_SETLK
    rescue Errno::EAGAIN, Errno::EACCES
      @socket.fcntl(5, lock) # F_GETLK
      abort "dormouse: process #{lock.unpack1('x24l')} serves this worker already, and this one (#{Process.pid}) has its socket too: both come from a " \
            "fork before Dormouse.serve. Call it in one process; for more of them: processes in the task's table"
    rescue SystemCallError
      nil # no such kernel
    end

    # A forked child is not spoken to, and answers nothing: its parent does.
    def say(message)
      return unless Process.pid == @pid

      line = message.is_a?(String) ? message : JSON.generate(message)
      @writing.synchronize { @socket.write(line, "\n") }
    rescue SystemCallError, IOError
      nil # the worker is gone, which reading tells
    end

    def serve
      Thread.new { read }
      Thread.handle_interrupt(Cancelled => :never) do
        while (run = @waiting.pop)
          Children.begin(run)
          @lock.synchronize { @current = run }
          answer = Dormouse.answer_of(run) { |handle| unless_forked { interruptible(run, handle) } }
          settle(run)
          answer = spare(run, answer) if run.cancelled?
          flush # what comes after the answer is in no run's log
          say(answer)
        end
      end
    end

    private

    # A forked child whose block has ended or raised has nothing to answer.
    def unless_forked
      result = yield
    rescue Exception => e
      raise if Process.pid == @pid

      warn((e.full_message(highlight: false) rescue e.class)) unless e.is_a?(SystemExit)
      flush && exit!(e.is_a?(SystemExit) ? e.status : 1)
    else
      Process.pid == @pid ? result : flush && exit!(0)
    end

    def flush = [$stdout, $stderr].each { |stream| stream.flush rescue nil }

    # The worker is not to end those that others have started before.
    def spare(run, answer)
      Children.end_since(run)
      run.children.empty? ? answer : answer.sub(/}\z/) { %(,"keep":#{JSON.generate(run.children)}}) }
    end

    def interruptible(run, handle)
      Thread.handle_interrupt(Cancelled => :immediate) do
        raise Cancelled, "cancelled: #{run.cancel_reason}" if run.cancelled?

        handle.call(run.payload, run)
      end
    end

    # Before the answer, as the next attempt may come right behind it. A cancellation that came too late is no later run's.
    def settle(run)
      @lock.synchronize { @current = @runs.delete(run.id) && nil }
      Thread.handle_interrupt(Cancelled => :immediate) { Thread.pass }
    rescue Cancelled
      nil
    end

    def read
      while (line = @socket.gets)
        message = JSON.parse(line, max_nesting: false)
        raise JSON::ParserError, 'no object with a "type"' unless message.is_a?(Hash) && message['type'].is_a?(String)

        case message['type']
        when 'run' then take(Run.new(message, self))
        when 'cancel' then cancel(message)
        end
      end
      @waiting << nil
    rescue JSON::ParserError => e
      warn "dormouse: the worker sent an invalid message of protocol 1 (#{e.message[0, 100]}): #{line[0, 200]}; " \
           'install a dormouse and a client of the same version'
      exit!(1)
    rescue SystemCallError, IOError
      @waiting << nil
    end

    def take(run)
      @lock.synchronize { @runs[run.id] = run }
      @waiting << run
    end

    def cancel(message)
      @lock.synchronize do
        run = @runs[message['id']] or return
        Children.look(run) if @current.equal?(run)
        run.cancel_reason = message['reason'] || 'canceled'
        @main.raise(Cancelled, "cancelled: #{run.cancel_reason}") if @current.equal?(run)
      end
    end
  end
end
