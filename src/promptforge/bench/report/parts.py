"""The parts that a page is made of: sections, tables, links to cases."""

from collections.abc import Sequence

from promptforge.bench.report.data import Findings
from promptforge.bench.report.markup import Markup, tag

__all__ = ["case_link", "rest_button", "section", "table"]


def section(identifier: str, title: str, *children: object, lead: str = "", tone: str = "") -> Markup:
    """A part of the page, with its heading and a sentence about it."""
    heading = tag("h2", title, id=f"{identifier}-title")
    body = (heading, tag("p", lead, class_="lead") if lead else None, *children)
    return tag("section", body, id=identifier, class_=tone or None, aria_labelledby=f"{identifier}-title")


def table(caption: str, columns: Sequence[str], rows: Sequence[Markup], *, class_: str = "") -> Markup:
    """A table that scrolls by itself where the page is narrow; columns that start with `#` hold numbers."""
    heads = (
        tag("th", c.removeprefix("#"), scope="col", class_="number" if c.startswith("#") else None) for c in columns
    )
    inner = (tag("caption", caption, class_="unseen"), tag("thead", tag("tr", heads)))
    body = rows if rows and rows[0].startswith("<tbody") else tag("tbody", rows)
    whole = tag("table", inner, body, class_=class_ or None)
    return tag("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def case_link(found: Findings, case: str) -> Markup:
    """A case's name, which opens it in the table of all cases."""
    index = found.places.get(case, -1)
    name = tag("code", found.say(case))
    return tag("a", name, href=f"#case-{index}", data_open=index) if index >= 0 else name


def rest_button(number: int, **filters: str) -> Markup | None:
    """A button that shows the rest in the table of all cases; without scripts there is none."""
    if number <= 0:
        return None
    attributes = {f"data_{key}": value for key, value in filters.items()}
    return tag("button", f"and {number:,} more: show all", type="button", class_="filter", **attributes)
