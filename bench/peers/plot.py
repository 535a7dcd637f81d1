"""The plot of the comparison, SVG: the rate over time, and the rate against what is queued."""
import math

COLORS = ["#1b6ca8", "#d1495b", "#3a8f5c", "#8d6b94", "#d98e04", "#555555"]
WIDTH, HEIGHT, LEFT, TOP = 420, 260, 60, 40


def nice(largest):
    """A round number that is not smaller."""
    power = 10 ** math.floor(math.log10(largest))
    return next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= largest)


def short(number):
    return f"{number / 1e6:g} M" if number >= 1e6 else f"{number / 1e3:g} k" if number >= 1e3 else f"{number:g}"


def panel(at, title, label, curves, colors, logarithmic):
    xs = [x for points in curves.values() for x, _ in points]
    high = nice(max(y for points in curves.values() for _, y in points))
    if logarithmic:
        low, wide = math.log10(min(xs)), max(math.log10(max(xs)) - math.log10(min(xs)), 0.1)
        ticks = [(x, short(x)) for x in sorted(set(xs))]
    else:
        low, wide = 0, nice(max(xs))
        ticks = [(wide * i / 5, f"{wide * i / 5:g}") for i in range(6)]

    def place(x, y):
        x = math.log10(x) if logarithmic else x
        return at + (x - low) / wide * WIDTH, TOP + HEIGHT - y / high * HEIGHT

    parts = [f'<text x="{at}" y="{TOP - 14}" font-weight="bold">{title}</text>',
             f'<text x="{at + WIDTH / 2}" y="{TOP + HEIGHT + 38}" text-anchor="middle">{label}</text>']
    for i in range(6):
        y = place(xs[0] if logarithmic else 0, high * i / 5)[1]
        parts.append(f'<path d="M{at} {y:.1f}h{WIDTH}" stroke="#dddddd"/><text x="{at - 6}" y="{y + 4:.1f}" text-anchor="end">{short(high * i / 5)}</text>')
    for x, text in ticks:
        parts.append(f'<text x="{place(x, 0)[0]:.1f}" y="{TOP + HEIGHT + 18}" text-anchor="middle">{text}</text>')
    for name, points in curves.items():
        line = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{line}" fill="none" stroke="{colors[name]}" stroke-width="2"/>')
        if logarithmic:
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colors[name]}"/>' for x, y in (place(*point) for point in points)]
    return parts


def draw(path, over_time, against_backlog):
    names = list(dict.fromkeys([*over_time, *against_backlog]))
    colors = {name: COLORS[i % len(COLORS)] for i, name in enumerate(names)}
    parts = panel(LEFT, "no-op runs a second over time", "seconds since the worker's start", over_time, colors, False)
    width = LEFT + WIDTH + 20
    if against_backlog:
        parts += panel(width + LEFT, "… with so many queued", "queued at the beginning", against_backlog, colors, True)
        width += LEFT + WIDTH + 20
    for i, name in enumerate(names):
        y = TOP + HEIGHT + 62 + 18 * i
        parts.append(f'<path d="M{LEFT} {y - 4}h24" stroke="{colors[name]}" stroke-width="3"/><text x="{LEFT + 32}" y="{y}">{name}</text>')
    height = TOP + HEIGHT + 62 + 18 * len(names)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" font-family="sans-serif" font-size="12">'
                   f'<rect width="100%" height="100%" fill="white"/>{"".join(parts)}</svg>\n')
