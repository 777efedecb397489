#!/usr/bin/env python3
"""The printed page of the matrix, as tests/router holds it to (tests/golden/router/matrix.*.html), read by an XML parser: it is
well-formed, asks nothing of elsewhere, and a screen reader finds its way. Exit 0 when all of that holds; each check is
first seen to fail on a page that is broken in that way."""
import pathlib
import sys
import xml.etree.ElementTree as ElementTree

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden/router"
SVG = "{http://www.w3.org/2000/svg}"
VOID = {"meta", "br"}  # what HTML lets stand without an end, and XML as <x/>
LOADS = {"src", "href", "action", "data", "srcset"}
TAGS = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "b", "code", "br", "table", "caption", "thead",
        "tbody", "tr", "th", "td", "figure", "figcaption"}
DRAWN = {"svg", "title", "desc", "defs", "marker", "path", "rect", "text", "g"}


def faults(text):
    try:
        page = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        return [f"not well-formed: {error}"]
    found = []
    for each in page.iter():
        drawn = each.tag.startswith(SVG)
        name = each.tag.removeprefix(SVG)
        if name not in (DRAWN if drawn else TAGS):
            found.append(f"element {name}")
        if LOADS & set(each.attrib) or any(key.startswith("on") for key in each.attrib):
            found.append(f"attribute of {name} that loads or runs: {sorted(each.attrib)}")
        if name == "th" and each.get("scope") not in ("row", "col"):
            found.append("a table head without scope")
        if name in VOID and (len(each) or each.text):
            found.append(f"{name} with content")
    if page.get("lang") not in ("ja", "en"):
        found.append("no language")
    return found + picture_faults(page) + grid_faults(page)


def picture_faults(page):
    picture = page.find(f".//{SVG}svg")
    if picture is None:
        return ["no picture"]
    found = []
    named = {each.get("id"): each for each in picture if each.get("id")}
    for identity in (picture.get("aria-labelledby") or "").split() or ["(none)"]:
        if identity not in named or not (named[identity].text or "").strip():
            found.append(f"the picture is not described: {identity}")
    for arrow in picture.iter(f"{SVG}path"):
        if arrow.get("marker-end") and arrow.find(f"{SVG}title") is None:
            found.append("an arrow without a title")
    _, _, width, height = map(float, picture.get("viewBox").split())
    for box in picture.iter(f"{SVG}rect"):
        x, y, wide, high = (float(box.get(key)) for key in ("x", "y", "width", "height"))
        if x < 0 or y < 0 or x + wide > width or y + high > height:
            found.append(f"a box outside the picture: {box.attrib}")
    return found


def grid_faults(page):
    """Each number of a grid is one of the list, and each of the list stands in a grid."""
    listed = {row.find("th").text for row in page.findall(".//table[@class='list']/tbody/tr")}
    shown = {number.strip() for cell in page.findall(".//td[@class='yes']") for number in cell.text.split(" ", 1)[1].split(",")}
    return [] if listed == shown and listed else [f"grids have {sorted(shown)}, the list {sorted(listed)}"]


BROKEN = [("</tbody>", "", "not well-formed"), ("<h1>", "<h1 onclick=\"x\">", "runs"), (" scope=\"row\"", "", "scope"),
          ("<p>", "<p><script>x</script>", "element script"), ("<br/>", "<br>x</br>", "with content"),
          ("id=\"picture-desc\"", "id=\"other\"", "not described"), ("<b>", "<b><img src=\"http://x/\"/>", "loads"),
          ("<rect x=\"", "<rect x=\"-9", "outside the picture"), ("<html lang=", "<html xml-lang=", "no language"),
          ("<td class=\"yes\">yes ", "<td class=\"yes\">yes 9", "grids have")]


def main():
    pages = sorted(GOLDEN.glob("matrix.*.html"))
    wrong = [f"{path.name}: {fault}" for path in pages for fault in faults(path.read_text(encoding="utf-8"))]
    text = pages[0].read_text(encoding="utf-8") if pages else ""
    for old, new, sign in BROKEN:
        if old not in text or not any(sign in fault for fault in faults(text.replace(old, new, 1))):
            wrong.append(f"not noticed: {old} -> {new}")
    for line in wrong:
        print(line)
    print(f"matrix pages: {len(pages)} read, {len(BROKEN)} broken ones tried, {len(wrong)} faults")
    return 1 if wrong or len(pages) < 2 else 0


if __name__ == "__main__":
    sys.exit(main())
