// Tables: those of text, and those of names, which can be sorted and whose rows open charts.

/** The text of a cell. A long one has a tooltip. */
const tooltip = (text) => ([...text].length > 20 ? text : null);

/** The parts of a table that scrolls. */
function scrolling(id, title) {
  const heading = create("h2", { id: `${id}-title` }, title);
  const table = create("table");
  const region = { class: "scroll", tabindex: 0, role: "region", "aria-labelledby": heading.id };
  return { section: create("section", { id }, heading, create("div", region, table)), table };
}

/** Draws a table of text. */
function textTable({ id, title, columns, rows, total }) {
  const { section, table } = scrolling(id, title);
  const heads = columns.map((column) => create("th", { scope: "col" }, column));
  const row = ([first, ...cells]) =>
    create(
      "tr",
      {},
      create("th", { scope: "row" }, first.text),
      ...cells.map((cell) => create("td", { class: cell.class ?? null }, cell.text)),
    );
  const drawn = rows.map(row);
  const last = total ? drawn.splice(-1) : [];
  table.append(create("thead", {}, create("tr", {}, ...heads)), create("tbody", {}, ...drawn));
  if (last.length > 0) table.append(create("tfoot", {}, ...last));
  return section;
}

/** A table of text that can be sorted, such as the checks. It shows the whole run, also while a range is picked. */
class SortedTable {
  constructor(table) {
    const { section, table: element } = scrolling(table.id, table.title);
    this.section = section;
    this.title = section.firstChild;
    this.sort = { column: 0, descending: false };
    this.head = create("tr");
    this.body = create("tbody");
    this.foot = create("tfoot");
    element.append(create("thead", {}, this.head), this.body, this.foot);
  }

  update(table) {
    this.table = table;
    this.draw();
  }

  sorted(rows) {
    const { column, descending } = this.sort;
    const collator = new Intl.Collator("en", { numeric: true });
    const order = (one, other) =>
      one[column].value === undefined && other[column].value === undefined
        ? collator.compare(one[column].text, other[column].text)
        : (one[column].value ?? -Infinity) - (other[column].value ?? -Infinity);
    return [...rows].sort((one, other) => (descending ? -order(one, other) : order(one, other)));
  }

  draw() {
    const { id, title, columns, rows, total } = this.table;
    this.title.textContent = range ? `${title} of the whole run` : title;
    const head = (name, index) => {
      const isSorted = this.sort.column === index;
      const isText = index === 0 || rows.every((row) => row[index].value === undefined);
      const sort = () => {
        // Numbers start with the highest, texts with the first.
        this.sort = { column: index, descending: isSorted ? !this.sort.descending : !isText };
        this.draw();
      };
      const button = { type: "button", class: "sort", "data-focus": `${id} head ${index}`, onclick: sort };
      const order = this.sort.descending ? "descending" : "ascending";
      return create("th", { scope: "col", "aria-sort": isSorted ? order : null }, create("button", button, name));
    };
    const row = ([first, ...cells]) =>
      create(
        "tr",
        {},
        create("th", { scope: "row" }, create("span", { class: "name", title: tooltip(first.text) }, first.text)),
        ...cells.map((cell) => create("td", { class: cell.class ?? null }, cell.text)),
      );
    const last = total ? rows.slice(-1) : [];
    keepFocus(() => {
      this.head.replaceChildren(...columns.map(head));
      this.body.replaceChildren(...this.sorted(total ? rows.slice(0, -1) : rows).map(row));
      this.foot.replaceChildren(...last.map(row));
    });
  }
}

const TIMES = ["mean", "p50", "p90", "p95", "p99", "max"];
const TIME_TITLES = { mean: "Mean", max: "Max" };

/** The columns of a table of names: a title, the number to sort by, and the text. */
function columnsOf(group) {
  const bad = ({ failed }) => (failed > 0 ? "bad" : null);
  const time = (micros) => (micros === null || micros === undefined ? "–" : formatLatency(micros));
  // What is not counted over time is not known for a range.
  const whole = (text) => (row) => (range ? "–" : text(row));
  const columns = [
    { title: "Count", value: ({ count }) => count, text: ({ count }) => formatCount(count) },
    { title: "Failed", value: ({ failed }) => failed, text: ({ failed }) => formatCount(failed), class: bad },
    {
      title: "Failed %",
      value: ({ failed, count }) => (count > 0 ? failed / count : 0),
      text: ({ failed, count }) => formatPercent(failed, count),
      class: bad,
    },
    { title: "Rate /s", value: ({ rate }) => rate, text: ({ rate }) => formatRate(rate) },
    ...TIMES.map((name) => ({
      title: TIME_TITLES[name] ?? name,
      isTime: true,
      value: ({ latency }) => latency?.[name] ?? -1,
      text: ({ latency }) => time(latency?.[name]),
    })),
  ];
  if (group.id !== "requests") return columns;
  const statuses = ({ statuses = [] }) => statuses.map(([status, count]) => `${status}:\u00a0${formatCount(count)}`);
  return [
    ...columns,
    { title: "Connect p95", value: ({ connect }) => connect ?? -1, text: whole(({ connect }) => time(connect)) },
    { title: "First byte p95", value: (row) => row.first_byte ?? -1, text: whole((row) => time(row.first_byte)) },
    { title: "In", value: (row) => row.bytes_in ?? 0, text: whole((row) => formatBytes(row.bytes_in ?? 0)) },
    { title: "Retried", value: ({ retried }) => retried ?? 0, text: whole(({ retried }) => formatCount(retried ?? 0)) },
    { title: "Status", class: () => "text", text: whole((row) => statuses(row).join(", ")) },
  ];
}

/** A table of names. */
class GroupTable {
  constructor(group) {
    const { section, table } = scrolling(group.id, group.title);
    this.section = section;
    this.sort = { column: -1, descending: false };
    this.details = new Map();
    this.columns = columnsOf(group);
    this.heads = [{ title: "Name", value: () => 0, text: ({ name }) => name }, null, ...this.columns].map((column, index) =>
      this.head(column, index - 2),
    );
    this.body = create("tbody");
    this.foot = create("tfoot");
    table.append(create("thead", {}, create("tr", {}, ...this.heads)), this.body, this.foot);
    this.group = group;
  }

  head(column, index) {
    if (!column) return create("th", { scope: "col" }, "Over time");
    if (!column.value) return create("th", { scope: "col" }, column.title);
    const sort = () => {
      // Numbers start with the highest, names with the first.
      const isSame = this.sort.column === index;
      this.sort = { column: index, descending: isSame ? !this.sort.descending : index >= 0 };
      this.draw();
    };
    const button = create("button", { type: "button", class: "sort", onclick: sort }, column.title);
    return create("th", { scope: "col" }, button);
  }

  update(group) {
    this.group = group;
    const names = new Set(group.rows.map(({ name }) => name));
    for (const [name, detail] of this.details) {
      if (!names.has(name)) this.close(name, detail);
    }
    this.draw();
  }

  /** A row with the numbers of the picked range. */
  measured(row, rows) {
    const inRange = range ? { ...row, service: null, ...rowInRange(rows) } : { ...row };
    const count = inRange.ok + inRange.failed;
    const seconds = shownSeconds();
    return { ...inRange, count, rate: seconds > 0 ? count / seconds : 0 };
  }

  sorted() {
    const rows = this.group.rows.map((row) => ({ row, measured: this.measured(row, [row]) }));
    const { column, descending } = this.sort;
    const collator = new Intl.Collator("en", { numeric: true });
    const value = this.columns[column]?.value;
    const order = value
      ? (one, other) => value(one.measured) - value(other.measured)
      : (one, other) => (column === -2 ? collator.compare(one.row.name, other.row.name) : 0);
    rows.sort((one, other) => (descending ? -order(one, other) : order(one, other)));
    return rows;
  }

  draw() {
    this.heads.forEach((head, index) => {
      const isSorted = this.sort.column === index - 2 && index !== 1;
      if (isSorted) head.setAttribute("aria-sort", this.sort.descending ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    keepFocus(() => {
      this.body.replaceChildren(...this.sorted().flatMap(({ row, measured }) => this.rows(row, measured)));
      this.foot.replaceChildren(...this.rows(null, this.measured(this.group.total, this.group.rows)));
    });
    for (const [name, detail] of this.details) this.updateDetail(name, detail);
  }

  /** The elements of a row; `row` is `null` for the total. */
  rows(row, measured) {
    const detail = row && this.details.get(row.name);
    const name = row
      ? create(
          "button",
          {
            type: "button",
            class: "name",
            title: tooltip(row.name),
            "aria-expanded": String(Boolean(detail)),
            "data-focus": `${this.group.id} ${row.name}`,
            onclick: () => this.toggle(row),
          },
          row.name,
        )
      : measured.name;
    const course = row && courseOf(row);
    const cells = this.columns.map((column) => {
      const isEmpty = column.isTime && measured.service;
      return create("td", { class: column.class?.(measured) ?? null }, isEmpty ? "" : column.text(measured));
    });
    const spark = create("td", { class: "spark" }, course ? sparkline(course.ok, course.failed) : null);
    const result = [create("tr", {}, create("th", { scope: "row" }, name), spark, ...cells)];
    if (measured.service) {
      result.push(this.timesRow("response time", measured.latency), this.timesRow("service time", measured.service));
    }
    if (detail) result.push(detail.element);
    return result;
  }

  /** One of the two times of a scenario that starts at a rate. */
  timesRow(name, latency) {
    const cells = this.columns.filter(({ isTime }) => isTime).map((column) => create("td", {}, column.text({ latency })));
    const head = create("th", { scope: "row", class: "soft" }, name);
    return create("tr", { class: "sub" }, head, create("td", { colspan: 5 }), ...cells);
  }

  toggle(row) {
    const detail = this.details.get(row.name);
    if (detail) this.close(row.name, detail);
    else {
      const charts = {
        rate: new TimeChart(this.rateSpec(row)),
        latency: new TimeChart(this.latencySpec(row)),
        distribution: new Distribution("Distribution of its latency"),
      };
      const text = create("p", { class: "full" });
      const figures = create("div", { class: "charts" }, ...Object.values(charts).map(({ element }) => element));
      const cell = create("td", { colspan: this.columns.length + 2 }, create("div", { class: "inner" }, text, figures));
      this.details.set(row.name, { charts, text, element: create("tr", { class: "detail" }, cell) });
    }
    this.draw();
  }

  close(name, detail) {
    Object.values(detail.charts).forEach((chart) => chart.remove());
    this.details.delete(name);
  }

  rateSpec(row) {
    const { ok, failed } = courseOf(row);
    const values = (counts) => Array.from({ length: data.bins.count }, (_, bin) => counts[bin] ?? 0);
    const series = [
      { name: "succeeded", class: "a", filled: false, values: values(ok) },
      { name: "failed", class: "bad", filled: true, values: values(failed) },
    ];
    return { title: "Rate per second", unit: "rate", axis: data.bins, stacked: false, series };
  }

  latencySpec(row) {
    return { title: "Latency", unit: "time", axis: data.bins, stacked: false, series: percentilesOverTime(row) };
  }

  updateDetail(name, { charts, text }) {
    const row = this.group.rows.find((other) => other.name === name);
    const statuses = (row.statuses ?? []).map(([status, count]) => `${status}: ${formatCount(count)}`).join(", ");
    text.replaceChildren(create("b", {}, name), statuses ? ` Statuses of the whole run: ${statuses}` : "");
    charts.rate.update(this.rateSpec(row));
    charts.latency.update(this.latencySpec(row));
    charts.distribution.update("Distribution of its latency", [row], row.latency);
  }
}

/** Runs `change`, and returns the focus to the element with the same key. */
function keepFocus(change) {
  const key = document.activeElement?.dataset.focus;
  change();
  if (key === undefined || document.activeElement?.dataset.focus === key) return;
  const again = [...document.querySelectorAll("[data-focus]")].find((element) => element.dataset.focus === key);
  again?.focus({ preventScroll: true });
}

/** The errors, grouped. */
class ErrorList {
  constructor() {
    this.section = create("section", { id: "errors" }, create("h2", {}, "Errors"));
    this.list = create("div");
    this.section.append(this.list);
    this.open = new Set();
  }

  update(errors) {
    this.section.hidden = errors.length === 0;
    const [from, to] = shownBins();
    let missing = 0;
    keepFocus(() => {
      const groups = errors.map((error) => {
        const course = unpack(error.course);
        const inRange = sum(course.slice(from, to));
        if (range && inRange === 0) {
          missing += 1;
          return null;
        }
        // The count of an error is without the warm-up, unless the range begins in it.
        const all = range && from < warmBin() ? sum(course) : error.count;
        const count = Math.min(inRange, all);
        return this.group(error, course, range ? `${formatCount(count)} of ${formatCount(all)}` : formatCount(all));
      });
      this.list.replaceChildren(...groups.filter(Boolean));
    });
    if (missing > 0) {
      const text = `${formatCount(missing)} more ${missing === 1 ? "kind" : "kinds"} of errors outside of the picked range.`;
      this.list.append(create("p", { class: "soft" }, text));
    }
  }

  group(error, course, count) {
    const key = [error.kind, error.place, error.scenario].join("\n");
    const place = `in ${error.scenario}${error.place ? ` at ${error.place}` : ""}`;
    const summary = create(
      "summary",
      { "data-focus": `error ${key}` },
      create("b", { class: "bad" }, `${count} ×`),
      " ",
      create("span", { class: "kind", title: tooltip(error.kind) }, error.kind),
      " ",
      create("span", { class: "soft" }, place),
      " ",
      sparkline([], course),
    );
    const details = create(
      "details",
      { open: this.open.has(key) ? "" : null },
      summary,
      create("pre", {}, error.message),
      error.detail ? create("pre", { class: "soft" }, error.detail) : null,
      create("p", { class: "soft" }, `first ${error.first}, last ${error.last}`),
    );
    details.addEventListener("toggle", () => this.open[details.open ? "add" : "delete"](key));
    return details;
  }
}
