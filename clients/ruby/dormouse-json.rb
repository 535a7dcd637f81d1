# frozen_string_literal: true

# Values as JSON that Postgres takes, and the errors of those that are none. Part of dormouse.rb.
module Dormouse
  class << self
    def utf8(value) = String(value).encode('UTF-8', invalid: :replace, undef: :replace).scrub

    # An object is shown as JSON.
    def words(value) = value.is_a?(Hash) || value.is_a?(Array) ? json(value, 'a text') : value

    def text(value) = utf8(value).byteslice(0, MOST_TEXT).scrub('')

    def json(value, what)
      text = JSON.generate(value, max_nesting: 0)
      # So Ruby writes what it has no text for: a function, a Set, an object of no kind that JSON has.
      at = text.include?('"#<') && fault(value, root(what))
      at ? raise(unwritable(what, at)) : text
    rescue JSON::JSONError, EncodingError, SystemStackError => e
      raise unwritable(what, fault(value, root(what)) || e.message)
    end

    private

    def root(what) = what == 'the result' ? 'result' : ''

    def unwritable(what, fault) = Unfit.new('BadResult', "#{what} cannot be written as JSON: #{fault.sub(/\A(\.|: )/, '')}")

    # The first thing in it that is no JSON: where it is, and what.
    def fault(value, path, above = [])
      return if above.size > 100

      case value
      when Float then value.finite? ? nil : "#{path}: #{value} is no number of JSON"
      when String, Symbol then fault_of_text(value.to_s, path)
      when Hash, Array then above.any? { |one| one.equal?(value) } ? "#{path}: it contains itself" : fault_inside(value, path, above + [value])
      else value.to_s.start_with?('#<') ? "#{path}: a #{value.class}" : nil
      end
    end

    def fault_of_text(text, path)
      text.encode('UTF-8').valid_encoding? ? nil : "#{path}: it is not UTF-8 (for bytes: Base64.strict_encode64)"
    rescue EncodingError
      "#{path}: it is not UTF-8 (for bytes: Base64.strict_encode64)"
    end

    def fault_inside(value, path, above)
      parts = value.is_a?(Hash) ? value.map { |key, one| ["#{path}.#{utf8(key)}", one] } : value.each_with_index.map { |one, at| ["#{path}[#{at}]", one] }
      parts.each { |at, one| (found = fault(one, at, above)) && (return found) }
      value.is_a?(Hash) && value.each_key { |key| fault_of_text(key.to_s, path) && (return "#{path}: a name in it is not UTF-8") }
      nil
    end
  end
end
