// Tables whose rows are kept while their values change, so that focus, selection and scroll position stay.

import { element, setText } from "./formats.js";

/**
 * A table. Each column has `label`, and `show(cell, row)` which fills a cell; optional are `kind` (a class of its
 * cells), `sort(row)` (a value by which the operator can sort) and `hidden` (the label is for screen readers only).
 */
export class Table {
  constructor(place, { columns, key, empty, sortedBy = null }) {
    this.columns = columns;
    this.key = key;
    this.rows = new Map();
    this.order = sortedBy;
    this.ascending = true;
    this.last = [];
    this.head = element("tr", { role: "row" });
    this.body = element("tbody", { role: "rowgroup" });
    this.table = element("table", { role: "table" }, element("thead", { role: "rowgroup" }, this.head), this.body);
    this.table.setAttribute("aria-labelledby", `${place.id}-title`);
    this.empty = element("p", { class: "empty" }, empty);
    columns.forEach((column, index) => this.head.append(this.heading(column, index)));
    this.place = place;
    this.least = 0;
    place.replaceChildren(this.table, this.empty);
    new ResizeObserver(() => this.fit()).observe(place);
    this.update([]);
  }

  heading(column, index) {
    const cell = element("th", { scope: "col", role: "columnheader", class: column.kind });
    if (column.sort) {
      const button = element("button", { type: "button", class: "sort" }, column.label);
      button.addEventListener("click", () => this.sortBy(index));
      cell.append(button);
    } else {
      cell.append(element("span", { class: column.hidden ? "unseen" : null }, column.label));
    }
    return cell;
  }

  sortBy(index) {
    this.ascending = this.order === index ? !this.ascending : true;
    this.order = index;
    this.update(this.last);
  }

  setEmpty(text) {
    setText(this.empty, text);
  }

  update(rows) {
    this.last = rows;
    this.table.hidden = rows.length === 0;
    this.empty.hidden = rows.length !== 0;
    this.markSorted();
    const kept = new Set();
    let previous = null;
    for (const row of this.sorted(rows)) {
      const key = String(this.key(row));
      kept.add(key);
      const line = this.rows.get(key) ?? this.newLine(key);
      this.columns.forEach((column, index) => column.show(line.cells[index], row));
      const next = previous ? previous.nextSibling : this.body.firstChild;
      if (next !== line) {
        this.body.insertBefore(line, next);
      }
      previous = line;
    }
    for (const [key, line] of this.rows) {
      if (!kept.has(key)) {
        line.remove();
        this.rows.delete(key);
      }
    }
    this.fit();
  }

  /** Where the columns do not fit, each row becomes a block of names and values: on a phone, or with long values. */
  fit() {
    const { classList } = this.place;
    const width = this.place.clientWidth;
    if (classList.contains("blocks") && width >= this.least) {
      classList.remove("blocks");
    }
    if (!classList.contains("blocks") && this.place.scrollWidth > width) {
      this.least = this.place.scrollWidth;
      classList.add("blocks");
    }
  }

  newLine(key) {
    const line = element("tr", { role: "row" });
    for (const column of this.columns) {
      line.append(element("td", { role: "cell", class: column.kind, "data-label": column.hidden ? "" : column.label }));
    }
    this.rows.set(key, line);
    return line;
  }

  markSorted() {
    this.columns.forEach((column, index) => {
      if (column.sort) {
        const sorted = this.order === index ? (this.ascending ? "ascending" : "descending") : "none";
        this.head.cells[index].setAttribute("aria-sort", sorted);
      }
    });
  }

  sorted(rows) {
    if (this.order === null) {
      return rows;
    }
    const value = this.columns[this.order].sort;
    const sign = this.ascending ? 1 : -1;
    return [...rows].sort((a, b) => sign * compare(value(a), value(b)) || compare(this.key(a), this.key(b)));
  }
}

function compare(a, b) {
  if (typeof a === "string" && typeof b === "string") {
    return a.localeCompare(b);
  }
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Fill a cell with elements, unless they were made from the same values before. */
export function fill(cell, values, make) {
  const made = JSON.stringify(values);
  if (cell.dataset.made !== made) {
    cell.dataset.made = made;
    cell.replaceChildren(...make());
  }
}
