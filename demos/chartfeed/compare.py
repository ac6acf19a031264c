"""Whether two charts are the same: their templates, and their pictures."""

from __future__ import annotations

from pathlib import Path

from demos.terminal.charts import layout
from demos.terminal.charts.template import BOM, parse, to_bytes


def same_templates(first: Path, second: Path) -> bool:
    """Whether two templates are equal, apart from the files' encodings, the charts' identifiers and their programs.

    Errors: OSError; TemplateError when a file is not a template.
    """
    documents = [parse(path.read_bytes()) for path in (first, second)]
    for document in documents:
        layout.set_expert(document, "", {})
        layout.root(document).set("id", 0)
        document.codec, document.mark, document.tail = "utf-16-le", BOM, b""
    return to_bytes(documents[0]) == to_bytes(documents[1])


def unequal_pixels(first: Path, second: Path) -> int:
    """How many pixels of two PNG files differ; all pixels when the sizes differ.

    Errors: OSError; ImportError without matplotlib.
    """
    from matplotlib.image import imread

    one, other = imread(first), imread(second)
    if one.shape != other.shape:
        return max(int(each.shape[0] * each.shape[1]) for each in (one, other))
    count: int = (one != other).any(axis=2).sum()
    return int(count)
