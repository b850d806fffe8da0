"""Draws the ratios of `compare.py`. The text takes the colour of the page, light or dark."""

from html import escape

COLOURS = {"RS256": "#3b82c4", "ES256": "#8a63c9"}
LABELS, BARS, RIGHT = 270, 420, 60
BAR, ROW, TOP = 9, 26, 40


def draw(rows, algorithms):
    width, height = LABELS + BARS + RIGHT, TOP + ROW * len(rows) + 12
    longest = max(row[algorithm]["ratio"] for row in rows for algorithm in algorithms)
    title = "Requests per processor second, relative to poem without authentication"
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"'
        f' aria-label="{title}" style="max-width:{width}px" font-family="sans-serif"'
        ' font-size="12" fill="currentColor">',
        f'<text x="0" y="14" font-weight="bold">{title}</text>',
    ]
    for number, algorithm in enumerate(algorithms):
        x = LABELS + 80 * number
        lines.append(f'<rect x="{x}" y="22" width="{BAR}" height="{BAR}" fill="{COLOURS[algorithm]}"/>')
        lines.append(f'<text x="{x + 14}" y="31">{algorithm}</text>')
    for number, row in enumerate(rows):
        y = TOP + ROW * number
        lines.append(
            f'<text x="{LABELS - 8}" y="{y + BAR + 4}" text-anchor="end">{escape(row["server"])}</text>'
        )
        for place, algorithm in enumerate(algorithms):
            ratio = row[algorithm]["ratio"]
            length = max(1, round(BARS * ratio / longest))
            top = y + place * (BAR + 1)
            lines.append(
                f'<rect x="{LABELS}" y="{top}" width="{length}" height="{BAR}"'
                f' fill="{COLOURS[algorithm]}"/>'
            )
            lines.append(
                f'<text x="{LABELS + length + 6}" y="{top + BAR}" font-size="10">{ratio:.2f}</text>'
            )
    return "\n".join([*lines, "</svg>"]) + "\n"
