<?php
// Values as JSON that Postgres takes, and the errors of those that are none. Part of dormouse.php.
declare(strict_types=1);

namespace dormouse;

const JSON = JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION;

function text(string $text): string {
    return json_decode(json_encode(substr($text, 0, MOST_TEXT), JSON_INVALID_UTF8_IGNORE)); // what is not UTF-8, or was cut in two, is left out
}

function json(mixed $value, string $what): string {
    $root = $what === 'the result' ? 'result' : '';
    try {
        $text = json_encode($value, JSON, 1 << 20);
    } catch (\JsonException $error) {
        throw unwritable($what, fault($value, $root) ?? lcfirst($error->getMessage()));
    }
    if (str_contains($text, '{}') && ($fault = fault($value, $root)) !== null) { // PHP writes a function so
        throw unwritable($what, $fault);
    }
    return $text;
}

function unwritable(string $what, string $fault): Unfit {
    return new Unfit('BadResult', "$what cannot be written as JSON: " . preg_replace('/^(\.|: )/', '', $fault));
}

/** The first thing in it that is no JSON: where it is, and what. */
function fault(mixed $value, string $path, array $above = []): ?string {
    if (is_float($value)) {
        return is_finite($value) ? null : "$path: $value is no number of JSON";
    }
    if (is_string($value)) {
        return preg_match('//u', $value) ? null : "$path: it is not UTF-8 (for bytes: base64_encode)";
    }
    if (is_resource($value) || gettype($value) === 'resource (closed)') {
        return "$path: a resource";
    }
    if ($value instanceof \Closure || $value instanceof \Generator) {
        return $value instanceof \Closure ? "$path: a function" : "$path: a Generator; use iterator_to_array()";
    }
    if ($value instanceof \UnitEnum) {
        return $value instanceof \BackedEnum ? null : "$path: an enum without values";
    }
    if ((!is_array($value) && !is_object($value)) || count($above) > 100) {
        return null;
    }
    if (is_object($value) && in_array($value, $above, true)) {
        return "$path: it contains itself";
    }
    $parts = $value instanceof \JsonSerializable ? $value->jsonSerialize() : (is_object($value) ? get_object_vars($value) : $value);
    if (!is_array($parts)) {
        return $parts === $value ? null : fault($parts, $path, [...$above, $value]);
    }
    $isList = is_array($value) && array_is_list($parts);
    foreach ($parts as $name => $one) {
        if (!preg_match('//u', (string) $name)) {
            return "$path: a name in it is not UTF-8";
        }
        $found = fault($one, $isList ? "{$path}[$name]" : "$path.$name", [...$above, $value]);
        if ($found !== null) {
            return $found;
        }
    }
    return null;
}
