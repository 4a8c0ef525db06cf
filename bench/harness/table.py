# SPDX-License-Identifier: AGPL-3.0-or-later
"""Medians as a Markdown table."""

import statistics


def median(values):
    return statistics.median(values) if values else None


def number(value, digits):
    if value is None:
        return "-"
    if abs(value) >= 10000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.{digits}f}"


def cell(values, digits):
    if not values:
        return "-"
    text = number(median(values), digits)
    if len(values) > 1 and min(values) != max(values):
        text += f" [{number(min(values), digits)}..{number(max(values), digits)}]"
    return text


def verdict(figure, values):
    if figure.target is None or not values:
        return ""
    # Of what must never happen the worst round counts.
    value = max(values) if figure.target == 0 else median(values)
    good = value <= figure.target if figure.lower else value >= figure.target
    sign = "≤" if figure.lower else "≥"
    return f"{sign} {number(figure.target, 0 if figure.target % 1 == 0 else 1)} {'met' if good else 'MISSED'}"


def markdown(steps, labels, results):
    """results[label][step name][figure key] is a list of values, one per round."""
    lines = ["| | unit | " + " | ".join(labels) + " | target |",
             "|---|---|" + "---|" * (len(labels) + 1)]
    for step in steps:
        rows = []
        for figure in step.figures:
            values = {label: results.get(label, {}).get(step.name, {}).get(figure.key, [])
                      for label in labels}
            if any(values.values()):
                cells = " | ".join(cell(values[label], figure.digits) for label in labels)
                rows.append(f"| {figure.title} | {figure.unit} | {cells} | "
                            f"{verdict(figure, values.get('anser', []))} |")
        if rows:
            lines.append(f"| **{step.title}** |" + " |" * (len(labels) + 2))
            lines += rows
    return "\n".join(lines) + "\n"
