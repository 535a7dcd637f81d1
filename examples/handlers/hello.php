<?php
require '/usr/share/dormouse/clients/php/dormouse.php';

dormouse\task('hello', fn (object $payload) => ['hello' => $payload->name ?? throw new dormouse\Fail('a name is missing')]);
dormouse\serve();
