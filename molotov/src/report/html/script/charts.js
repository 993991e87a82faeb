// The distribution of latencies, the heat map, and small charts in tables.

const BARS = 20;
const ROWS = 12;
const SHADES = 5;

/** Adds counts of buckets by their logarithm. */
function byLogarithm(counts, perDecade, into = new Map()) {
  counts.forEach((count, bucket) => {
    if (count === 0) return;
    const key = Math.floor(Math.log10(Math.max(data.edges[bucket], 1)) * perDecade + 1e-9);
    into.set(key, (into.get(key) ?? 0) + count);
  });
  return into;
}

/** Round times on a logarithmic axis, as logarithms of microseconds. */
function logarithmicTicks(low, high) {
  const steps = high - low < 2 ? [1, 2, 5] : [1];
  const ticks = [];
  for (let power = Math.floor(low) - 1; power <= high + 1; power += 1) {
    for (const step of steps) {
      const tick = power + Math.log10(step);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** The distribution of the latencies of some rows in the range, with percentiles marked. */
class Distribution extends Figure {
  constructor(title, id = null) {
    super(title, id);
    this.legend.classList.add("plain");
  }

  /** `exact` are the times of the whole run. */
  update(title, rows, exact) {
    this.title(title);
    this.rows = rows;
    this.exact = exact;
    this.draw();
  }

  draw() {
    if (!this.rows) return;
    const [from, to] = shownBins();
    const latency = noLatency();
    for (const row of this.rows) addLatency(latency, courseOf(row), from, to);
    const times = (range ? null : this.exact) ?? timesOf(latency);
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${HEIGHT}`);
    const counts = byLogarithm(latency, BARS);
    if (counts.size === 0 || !times) {
      this.svg.replaceChildren(create("text", { class: "empty", x: this.width / 2, y: HEIGHT / 2 }, "No latencies"));
      this.legend.replaceChildren();
      return;
    }
    const keys = [...counts.keys()];
    const [low, high] = [(Math.min(...keys) - 1) / BARS, (Math.max(...keys) + 2) / BARS];
    const top = 26;
    const floor = HEIGHT - BOTTOM;
    const highest = Math.max(...counts.values());
    const x = (logarithm) => LEFT + ((logarithm - low) / (high - low)) * (this.width - LEFT - RIGHT);
    const y = (count) => floor - (count / highest) * (floor - top);
    const grid = create("g", { class: "grid" }, create("line", { x1: LEFT, x2: this.width - RIGHT, y1: floor, y2: floor }));
    grid.append(create("text", { class: "y", x: LEFT - 8, y: top + 4 }, formatCount(highest)));
    grid.append(create("text", { class: "y", x: LEFT - 8, y: floor + 4 }, "0"));
    let free = -Infinity;
    for (const tick of logarithmicTicks(low, high)) {
      if (x(tick) < free) continue;
      free = x(tick) + 48;
      grid.append(create("text", { class: "x", x: x(tick), y: HEIGHT - 8 }, formatLatency(10 ** tick)));
    }
    const bars = keys.map((key) => `M${x(key / BARS)} ${floor}V${y(counts.get(key))}H${x((key + 1) / BARS)}V${floor}z`);
    this.svg.replaceChildren(grid, create("path", { class: "area a", d: bars.join("") }));
    const marks = ["p50", "p95", "p99"].filter((name) => times[name] !== null);
    marks.forEach((name, index) => {
      const at = x(Math.log10(Math.max(times[name], 1)));
      const isLeft = at > this.width * 0.75;
      const place = { class: isLeft ? "mark end" : "mark", x: at + (isLeft ? -4 : 4), y: top - 4 + 14 * index };
      this.svg.append(create("line", { class: "mark", x1: at, x2: at, y1: top - 12, y2: floor }));
      this.svg.append(create("text", place, `${name} ${formatLatency(times[name])}`));
    });
    const texts = marks.map((name) => create("span", { class: "plain" }, `${name} ${formatLatency(times[name])}`));
    this.legend.replaceChildren(...texts, create("span", { class: "plain" }, `max ${formatLatency(times.max)}`));
  }
}

/** The latencies of some rows over time. Darker cells contain more of them. */
class HeatMap extends Figure {
  constructor(title, id = null) {
    super(title, id);
    this.plot.setAttribute("aria-label", title);
    makeInteractive(this);
    const shades = Array.from({ length: SHADES }, (_, shade) => create("i", { class: `h${shade + 1}` }));
    this.at = create("span", { class: "soft at" });
    const scale = create("span", { class: "shades" }, "fewer ", ...shades, " more");
    this.legend.replaceChildren(scale, this.at);
  }

  update(title, rows) {
    this.title(title);
    const columns = Array.from({ length: data.bins.count }, () => noLatency());
    for (const row of rows) {
      const course = courseOf(row);
      columns.forEach((column, bin) => addLatency(column, course, bin, bin + 1));
    }
    this.columns = columns.map((column) => byLogarithm(column, ROWS));
    this.draw();
  }

  draw() {
    if (!this.columns) return;
    const { from, to } = shown();
    const axis = data.bins;
    const visible = this.columns
      .map((column, bin) => [bin, column])
      .filter(([bin]) => binEnd(axis, bin) > from + 1e-6 && binStart(axis, bin) < to - 1e-6);
    const keys = visible.flatMap(([, column]) => [...column.keys()]);
    const [first, last] = keys.length > 0 ? [Math.min(...keys), Math.max(...keys)] : [0, ROWS];
    const [low, high] = [first / ROWS, (last + 1) / ROWS];
    const floor = HEIGHT - BOTTOM;
    const height = (logarithm) => (1 - (logarithm - low) / (high - low)) * (floor - TOP);
    const inside = this.frame(logarithmicTicks(low, high), (tick) => formatLatency(10 ** tick), height);
    const highest = Math.max(1, ...visible.flatMap(([, column]) => [...column.values()]));
    const paths = Array.from({ length: SHADES }, () => []);
    for (const [bin, column] of visible) {
      const [left, right] = [this.x(binStart(axis, bin)), this.x(binEnd(axis, bin))];
      for (const [key, count] of column) {
        const shade = Math.min(Math.max(Math.ceil(Math.sqrt(count / highest) * SHADES), 1), SHADES) - 1;
        const [upper, lower] = [TOP + height((key + 1) / ROWS), TOP + height(key / ROWS)];
        paths[shade].push(`M${left.toFixed(1)} ${upper.toFixed(1)}H${right.toFixed(1)}V${lower.toFixed(1)}H${left.toFixed(1)}z`);
      }
    }
    paths.forEach((cells, shade) => {
      if (cells.length > 0) inside.append(create("path", { class: `heat h${shade + 1}`, d: cells.join("") }));
    });
    this.overlay = create("g", { class: "cursor" });
    inside.append(this.overlay);
    this.showCursor();
  }

  showCursor() {
    const marks = [];
    this.at.textContent = cursor === null ? "" : this.describe();
    if (cursor !== null) {
      const x = this.x(cursor);
      marks.push(create("line", { x1: x, x2: x, y1: TOP, y2: HEIGHT - BOTTOM }));
    }
    this.overlay?.replaceChildren(...marks, ...(this.selection ? [this.selection] : []));
  }

  showSelection(from, to) {
    TimeChart.prototype.showSelection.call(this, from, to);
  }

  /** The number of latencies under the crosshair, and where most of them are. */
  describe() {
    const { period, count } = data.bins;
    const bin = Math.min(Math.floor(cursor / period), count - 1);
    const column = this.columns[bin] ?? new Map();
    const total = sum([...column.values()]);
    const at = `at ${formatMoment(binMiddle(data.bins, bin), period / 2)}`;
    if (total === 0) return `${at}: none`;
    const [most] = [...column.entries()].reduce((one, other) => (other[1] > one[1] ? other : one));
    const bounds = [most, most + 1].map((key) => formatLatency(10 ** (key / ROWS)));
    return `${at}: ${formatCount(total)}, most from ${bounds[0]} to ${bounds[1]}`;
  }
}

/** A small chart for a row: what ended, and what of it failed. */
function sparkline(ok, failed) {
  const [width, height] = [96, 22];
  const axis = data.bins;
  const { from, to } = shown();
  const bins = Array.from({ length: axis.count }, (_, bin) => bin).filter(
    (bin) => binEnd(axis, bin) > from + 1e-6 && binStart(axis, bin) < to - 1e-6,
  );
  const rate = (counts, bin) => (counts[bin] ?? 0) / binLength(axis, bin);
  const all = bins.map((bin) => rate(ok, bin) + rate(failed, bin));
  const highest = Math.max(1e-9, ...all);
  const place = (value, index) => {
    const x = ((binMiddle(axis, bins[index]) - from) / (to - from)) * width;
    return `${x.toFixed(1)} ${((1 - value / highest) * (height - 2) + 1).toFixed(1)}`;
  };
  const svg = create("svg", { class: "spark", viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" });
  if (bins.length > 1) {
    if (ok.length > 0) svg.append(create("path", { class: "a", d: `M${all.map(place).join("L")}` }));
    const bad = bins.map((bin) => rate(failed, bin));
    if (sum(bad) > 0) svg.append(create("path", { class: "area bad", d: `M${bad.map(place).join("L")}V${height}H0z` }));
  }
  return svg;
}
