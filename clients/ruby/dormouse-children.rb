# frozen_string_literal: true

module Dormouse
  PATIENCE = 2 # seconds between asking a child to end and killing it

  # The processes that a run has started: they end with a run that is stopped.
  module Children
    def self.of(pid = 'self')
      Dir.children("/proc/#{pid}/task").flat_map { |thread| File.read("/proc/#{pid}/task/#{thread}/children").split.map(&:to_i) }
    rescue SystemCallError
      [] # it is gone, or the kernel does not say
    end

    def self.begin(run)
      run.children = of
      run.below = []
    end

    # Before it hears that it is to end: whoever ends a child then leaves that one's children behind.
    def self.look(run) = run.below |= with_descendants(of - run.children.to_a)

    def self.with_descendants(pids)
      every = new = pids
      every |= new while (new = new.flat_map { |pid| of(pid) } - every).any?
      every
    end

    def self.lives?(pid)
      !%w[Z X].include?(File.binread("/proc/#{pid}/stat").rpartition(') ').last[0])
    rescue SystemCallError
      false
    end

    def self.end_since(run)
      every = (of - run.children.to_a) | run.below
      asked = []
      began = Process.clock_gettime(Process::CLOCK_MONOTONIC)
      # Again and again: who is asked to end may start another one.
      while (every = with_descendants(every.select { |pid| lives?(pid) }).select { |pid| lives?(pid) }).any?
        waited = Process.clock_gettime(Process::CLOCK_MONOTONIC) - began
        return if waited > 2 * PATIENCE

        signal(every - asked, :TERM)
        asked |= every
        signal(every, :KILL) if waited > PATIENCE
        sleep 0.01
      end
    end

    def self.signal(pids, name) = pids.each { |pid| Process.kill(name, pid) rescue SystemCallError }
  end
end
