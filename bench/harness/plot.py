# SPDX-License-Identifier: AGPL-3.0-or-later
"""The same figures as bars: an SVG written by hand, one panel per figure that has a target above zero."""

from html import escape

from table import median, number

COLOURS = {"floor": "#9aa0a6", "anser": "#c0392b", "prosody": "#7fb3d5", "prosody tuned": "#2e86c1",
           "ejabberd": "#b7950b"}
PANEL_WIDTH, BAR, GAP, LEFT, COLUMNS = 430, 16, 5, 105, 2


def panel(step, figure, values):
    """One panel as (height, SVG text): a bar per server, labelled, and the target as a line."""
    top = max([*values.values(), figure.target])
    room = PANEL_WIDTH - LEFT - 70
    out = [f'<text x="0" y="12" class="t">{escape(step.title)}</text>',
           f'<text x="0" y="27" class="s">{escape(figure.title)}, {escape(figure.unit)}</text>']
    y = 36
    for label, value in values.items():
        width = max(1.0, value / top * room)
        out.append(f'<text x="{LEFT - 6}" y="{y + 12}" class="l">{escape(label)}</text>'
                   f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR}" '
                   f'fill="{COLOURS.get(label, "#555")}"/>'
                   f'<text x="{LEFT + width + 4:.1f}" y="{y + 12}" class="s">'
                   f'{number(value, figure.digits)}</text>')
        y += BAR + GAP
    x = LEFT + figure.target / top * room
    out.append(f'<line x1="{x:.1f}" y1="33" x2="{x:.1f}" y2="{y}" class="g"/>')
    return y + 18, "".join(out)


def svg(steps, labels, results):
    panels = []
    for step in steps:
        for figure in step.figures:
            values = {label: median(results.get(label, {}).get(step.name, {}).get(figure.key, []))
                      for label in labels}
            values = {label: value for label, value in values.items() if value is not None}
            if figure.target and values:
                panels.append(panel(step, figure, values))
    out, y = [], 40
    for i in range(0, len(panels), COLUMNS):
        row = panels[i:i + COLUMNS]
        for column, (_, text) in enumerate(row):
            out.append(f'<g transform="translate({20 + column * (PANEL_WIDTH + 30)},{y})">{text}</g>')
        y += max(height for height, _ in row)
    width = 20 + COLUMNS * (PANEL_WIDTH + 30)
    style = ("text{font:12px sans-serif;fill:#222}.t{font-weight:bold}.s{font-size:11px}"
             ".l{font-size:11px;text-anchor:end}.g{stroke:#c0392b;stroke-dasharray:4 3}")
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 10}" '
            f'viewBox="0 0 {width} {y + 10}"><style>{style}</style>'
            f'<rect width="100%" height="100%" fill="#fff"/>'
            '<text x="20" y="22" class="s">Medians; the dashed line is the target for anser.</text>'
            + "".join(out) + "</svg>\n")
