// Drawing: elements, scales, and charts over time with a crosshair that all of them share.

/** Creates an element. Attributes and children are texts or elements, never markup. */
function create(name, attributes = {}, ...children) {
  const isSvg = ["svg", "g", "path", "line", "text", "rect", "circle"].includes(name);
  const element = isSvg ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(key, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Round numbers from 0 up to the first one that is not below `highest`. */
function linearTicks(highest) {
  if (!(highest > 0)) return [0, 1];
  const rough = highest / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough * 0.9999) ?? power * 10;
  const count = Math.ceil((highest / step) * 0.9999);
  return Array.from({ length: count + 1 }, (_, index) => index * step);
}

/** A scale from values to shares of the height. It is logarithmic for times that differ by more than a factor of 50. */
function scaleOf(unit, values) {
  const highest = values.reduce((one, other) => Math.max(one, other), 0);
  const lowest = values.reduce((one, other) => (other > 0 ? Math.min(one, other) : one), Infinity);
  if (unit === "time" && highest > 50 * lowest) {
    const [first, last] = [Math.floor(Math.log10(lowest)), Math.ceil(Math.log10(highest))];
    const ticks = Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index));
    return { ticks, at: (value) => Math.max(0, (Math.log10(Math.max(value, ticks[0])) - first) / (last - first)) };
  }
  const ticks = linearTicks(highest);
  return { ticks, at: (value) => value / ticks[ticks.length - 1] };
}

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400];

/** Round moments between two, and the distance between them. */
function moments(from, to, most) {
  const step = STEPS.find((seconds) => (to - from) / seconds <= most) ?? Math.ceil((to - from) / most / 86400) * 86400;
  const first = Math.ceil(from / step - 1e-6);
  const count = Math.floor(to / step + 1e-6) - first + 1;
  return [Array.from({ length: Math.max(count, 0) }, (_, index) => (first + index) * step), step];
}

const shownValue = (unit, axis, value, index) => (unit === "rate" ? value / binLength(axis, index) : value);

function formatValue(unit, value) {
  if (value === null || value === undefined) return "–";
  if (unit === "time") return value === 0 ? "0" : formatLatency(value);
  return Number.isInteger(value) && value < 100000 ? formatCount(value) : formatRate(value);
}

const LEFT = 62;
const RIGHT = 20;
const TOP = 10;
const BOTTOM = 26;
const HEIGHT = 220;

/** A figure with a drawing, which is drawn again when its width changes. */
class Figure {
  constructor(title, id = null) {
    this.caption = create("figcaption", {}, title);
    this.svg = create("svg", { role: "img", "aria-label": title });
    this.legend = create("div", { class: "legend" });
    this.plot = create("div", { class: "plot" }, this.svg);
    this.element = create("figure", { id }, this.caption, this.plot, this.legend);
    this.width = 560;
    figures.add(this);
    resizes.observe(this.element);
  }

  remove() {
    figures.delete(this);
    resizes.unobserve(this.element);
    this.element.remove();
  }

  title(text) {
    if (this.caption.textContent === text) return;
    this.caption.textContent = text;
    this.svg.setAttribute("aria-label", text);
  }

  resize(width) {
    const inner = Math.max(Math.round(width), 240);
    if (inner === this.width) return;
    this.width = inner;
    this.draw();
  }

  /** Sets the axes and returns the group for lines, whose origin is the top left corner of the plot. */
  frame(ticks, label, height) {
    const { from, to } = shown();
    const right = this.width - RIGHT;
    const grid = create("g", { class: "grid" });
    for (const tick of ticks) {
      const y = TOP + height(tick);
      grid.append(create("line", { x1: LEFT, x2: right, y1: y, y2: y }));
      grid.append(create("text", { class: "y", x: LEFT - 8, y: y + 4 }, label(tick)));
    }
    const [times, step] = moments(from, to, Math.max(2, Math.floor(this.width / 85)));
    for (const time of times) {
      grid.append(create("text", { class: "x", x: this.x(time), y: HEIGHT - 8 }, formatMoment(time, step)));
    }
    const inside = create("svg", {
      x: LEFT,
      y: 0,
      width: right - LEFT,
      height: HEIGHT - BOTTOM + 1,
      viewBox: `${LEFT} 0 ${right - LEFT} ${HEIGHT - BOTTOM + 1}`,
    });
    if (data.warm_up > from) {
      const width = this.x(Math.min(data.warm_up, to)) - LEFT;
      inside.append(create("rect", { class: "warm-up", x: LEFT, y: TOP, width, height: HEIGHT - TOP - BOTTOM }));
    }
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    this.svg.replaceChildren(grid, inside);
    return inside;
  }

  x(time) {
    const { from, to } = shown();
    return LEFT + ((time - from) / (to - from)) * (this.width - LEFT - RIGHT);
  }

  time(x) {
    const { from, to } = shown();
    const share = (x - LEFT) / (this.width - LEFT - RIGHT);
    return from + Math.min(Math.max(share, 0), 1) * (to - from);
  }
}

const figures = new Set();
const resizes = new ResizeObserver((entries) => {
  for (const figure of figures) {
    const entry = entries.find(({ target }) => target === figure.element);
    if (entry && entry.contentRect.width > 0) figure.resize(entry.contentRect.width);
  }
});

/** The moment under the crosshair, in seconds; `null` without one. */
let cursor = null;

function setCursor(time) {
  cursor = time;
  for (const figure of figures) figure.showCursor?.();
}

/** Lets the pointer and the keyboard move the crosshair and pick a range on a figure. */
function makeInteractive(figure) {
  const { plot } = figure;
  plot.tabIndex = 0;
  plot.setAttribute("role", "group");
  plot.setAttribute("aria-describedby", "chart-help");
  let start = null;
  const timeAt = (event) => {
    const box = figure.svg.getBoundingClientRect();
    return figure.time(((event.clientX - box.left) / box.width) * figure.width);
  };
  plot.addEventListener("pointermove", (event) => {
    setCursor(timeAt(event));
    if (start !== null) figure.showSelection(start, cursor);
  });
  plot.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    start = timeAt(event);
    if (event.pointerType === "mouse") plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener("pointerup", (event) => {
    const [from, to] = [start, timeAt(event)].sort((one, other) => one - other);
    const isDrag = start !== null && Math.abs(figure.x(to) - figure.x(from)) > 5;
    start = null;
    figure.showSelection(null);
    if (isDrag) setRange({ from, to });
  });
  const cancel = () => {
    start = null;
    figure.showSelection(null);
  };
  plot.addEventListener("pointercancel", cancel);
  plot.addEventListener("pointerleave", () => {
    if (start === null) setCursor(null);
  });
  plot.addEventListener("blur", () => setCursor(null));
  plot.addEventListener("dblclick", () => setRange(null));
  let anchor = null;
  plot.addEventListener("keydown", (event) => {
    const { from, to } = shown();
    const { period } = data.bins;
    const steps = { ArrowLeft: -period, ArrowRight: period, PageUp: -10 * period, PageDown: 10 * period };
    if (event.key === "Escape") setRange(null);
    else if (event.key === "Enter" && anchor !== null && cursor !== null) {
      const [first, last] = [anchor, cursor].sort((one, other) => one - other);
      anchor = null;
      figure.showSelection(null);
      setRange({ from: first, to: last });
    } else if (event.key in steps || event.key === "Home" || event.key === "End") {
      const before = cursor ?? from;
      const ends = { Home: from, End: to };
      const next = ends[event.key] ?? Math.min(Math.max(before + (cursor === null ? 0 : steps[event.key]), from), to);
      if (event.shiftKey) anchor ??= before;
      else anchor = null;
      setCursor(next);
      figure.showSelection(anchor, next);
      announce(figure.describe());
    } else return;
    event.preventDefault();
  });
}

/** A chart of lines over time. */
class TimeChart extends Figure {
  constructor(spec, id = null) {
    super(spec.title, id);
    this.hidden = new Set();
    this.plot.setAttribute("aria-label", spec.title);
    makeInteractive(this);
    this.update(spec);
  }

  /** `spec` has a title, a unit, an axis, and series; `stacked` ones are drawn on top of each other. */
  update(spec) {
    this.title(spec.title);
    const names = (of) => of?.series.map(({ name, class: style }) => `${style} ${name}`).join("\n");
    const isNew = names(this.spec) !== names(spec);
    this.spec = spec;
    if (isNew) this.makeLegend();
    this.draw();
  }

  makeLegend() {
    this.values = this.spec.series.map(() => create("span", { class: "value" }));
    const buttons = this.spec.series.map(({ name, class: style }, index) =>
      create(
        "button",
        {
          type: "button",
          class: style,
          "aria-pressed": String(!this.hidden.has(name)),
          title: name.length > 32 ? name : null,
          onclick: (event) => this.toggle(name, event.currentTarget),
        },
        create("span", { class: "series" }, name),
        this.values[index],
      ),
    );
    const warmUp = data.warm_up > 0 ? create("span", { class: "soft warm-up" }, "warm-up") : null;
    this.at = create("span", { class: "soft at" });
    this.legend.replaceChildren(...buttons, ...(warmUp ? [warmUp] : []), this.at);
  }

  toggle(name, button) {
    if (!this.hidden.delete(name)) this.hidden.add(name);
    button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
    this.draw();
  }

  draw() {
    const { axis, unit, stacked } = this.spec;
    const { from, to } = shown();
    const visible = Array.from({ length: axis.count }, (_, index) => index).filter(
      (index) => binEnd(axis, index) > from - axis.period && binStart(axis, index) < to + axis.period,
    );
    const isInside = (index) => binEnd(axis, index) > from && binStart(axis, index) < to;
    let below = null;
    this.lines = [];
    for (const series of this.spec.series) {
      if (this.hidden.has(series.name)) continue;
      const floor = below;
      const values = series.values.map((value, index) => {
        const own = value === null ? null : shownValue(unit, axis, value, index);
        return stacked && below ? (own ?? 0) + below[index] : own;
      });
      if (stacked) below = values.map((value) => value ?? 0);
      this.lines.push({ series, values, floor });
    }
    const all = this.lines.flatMap(({ values }) => visible.filter(isInside).map((index) => values[index]));
    this.scale = scaleOf(unit, all.filter((value) => value !== null && value !== undefined));
    const height = (value) => (1 - this.scale.at(value)) * (HEIGHT - TOP - BOTTOM);
    const inside = this.frame(this.scale.ticks, (tick) => formatValue(unit, tick), height);
    // The highest of a stack is drawn first, so that the others stay visible.
    for (const { series, values, floor } of stacked ? this.lines.toReversed() : this.lines) {
      let part = [];
      const parts = [part];
      for (const index of visible) {
        const value = values[index] ?? null;
        if (value === null) parts.push((part = []));
        else part.push([this.x(binMiddle(axis, index)), TOP + height(value), TOP + height(floor?.[index] ?? 0)]);
      }
      for (const points of parts.filter(({ length }) => length > 0)) this.drawPart(inside, series, points);
    }
    this.overlay = create("g", { class: "cursor" });
    inside.append(this.overlay);
    this.showCursor();
  }

  drawPart(inside, { class: style, filled }, points) {
    if (points.length === 1) {
      inside.append(create("circle", { class: style, cx: points[0][0], cy: points[0][1], r: 3 }));
      return;
    }
    const line = `M${points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}`;
    const ends = points.toReversed().map(([x, , floor]) => `L${x.toFixed(1)} ${floor.toFixed(1)}`).join("") + "z";
    if (filled) inside.append(create("path", { class: `area ${style}`, d: line + ends }));
    inside.append(create("path", { class: style, d: line }));
  }

  /** The period that contains the crosshair. */
  index() {
    const { axis } = this.spec;
    return Math.min(Math.max(Math.floor(cursor / axis.period), 0), axis.count - 1);
  }

  showCursor() {
    const index = cursor === null ? null : this.index();
    const { axis, unit, series } = this.spec;
    series.forEach(({ values }, number) => {
      const value = index === null ? null : (values[index] ?? null);
      const shownAs = value === null ? null : shownValue(unit, axis, value, index);
      this.values[number].textContent = index === null ? "" : formatValue(unit, shownAs);
    });
    this.at.textContent = index === null ? "" : `at ${formatMoment(binMiddle(axis, index), axis.period / 2)}`;
    const marks = [];
    if (index !== null) {
      const x = this.x(binMiddle(axis, index));
      marks.push(create("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
      for (const line of this.lines) {
        const value = line.values[index] ?? null;
        if (value === null) continue;
        const y = TOP + (1 - this.scale.at(value)) * (HEIGHT - TOP - BOTTOM);
        marks.push(create("circle", { class: line.series.class, cx: x, cy: y, r: 3.5 }));
      }
    }
    this.overlay.replaceChildren(...marks, ...(this.selection ? [this.selection] : []));
  }

  showSelection(from, to) {
    const [left, right] = [this.x(from ?? 0), this.x(to ?? 0)].sort((one, other) => one - other);
    const box = { class: "selection", x: left, y: TOP, width: right - left, height: HEIGHT - TOP - BOTTOM };
    this.selection = from === null ? null : create("rect", box);
    this.showCursor();
  }

  /** The values under the crosshair, as a sentence. */
  describe() {
    const { axis, unit, series } = this.spec;
    const index = this.index();
    const values = series.map(({ name, values }) => {
      const value = values[index] ?? null;
      return `${name} ${formatValue(unit, value === null ? null : shownValue(unit, axis, value, index))}`;
    });
    return `${formatMoment(binMiddle(axis, index), axis.period / 2)}: ${values.join(", ")}`;
  }
}
