// The page: it draws the data, and draws it again when the data or the range changes.

const main = document.getElementById("page");

/** Tells a screen reader what changed. */
const live = create("p", { class: "hidden", role: "status" });
const announce = (text) => {
  live.textContent = text;
};

/** The bar with the range and the theme, which stays in view. */
const bar = (() => {
  const text = create("b", { class: "picked" });
  const input = (name) => create("input", { type: "range", min: 0, step: 1, "aria-label": `${name} of the range` });
  const [from, to] = [input("Start"), input("End")];
  const pick = () => {
    const [first, last] = [Number(from.value), Number(to.value)].sort((one, other) => one - other);
    const { bins } = data;
    const whole = first === 0 && last >= bins.count;
    setRange(whole || first === last ? null : { from: binStart(bins, first), to: binEnd(bins, last - 1) });
  };
  from.addEventListener("input", pick);
  to.addEventListener("input", pick);
  const reset = create("button", { type: "button", class: "reset", onclick: () => setRange(null) }, "Show the whole run");
  const theme = create("button", { type: "button", class: "theme", onclick: switchTheme }, "Dark");
  const slider = create("span", { class: "slider" }, from, to);
  const element = create("div", { class: "bar", role: "group", "aria-label": "Range of time" }, text, slider, reset, theme);
  return { element, text, from, to, reset, theme };
})();

function drawBar() {
  const { bins } = data;
  const { from, to } = shown();
  const step = bins.period / 2;
  const [first, last] = [formatMoment(from, step), formatMoment(to, step)];
  bar.text.textContent = range ? `${first} – ${last}` : `Whole run, ${last}`;
  for (const [input, time] of [[bar.from, from], [bar.to, to]]) {
    input.max = bins.count;
    input.value = time >= bins.end ? bins.count : Math.round(time / bins.period);
    input.setAttribute("aria-valuetext", formatMoment(time, step));
  }
  bar.reset.disabled = !range;
  bar.element.hidden = bins.count < 2;
}

/** A range in seconds, grown to whole bins; `null` if these are all. */
function wholeBins(picked) {
  const { period, end, count } = data.bins;
  const first = Math.min(Math.floor(picked.from / period + 1e-6), count - 1);
  const last = Math.min(Math.max(Math.ceil(picked.to / period - 1e-6), first + 1), count);
  return first === 0 && last >= count ? null : { from: first * period, to: last >= count ? end : last * period };
}

/** Picks a range, in seconds. It grows to whole bins. */
function setRange(picked) {
  range = picked && wholeBins(picked);
  draw();
  announce(range ? `Range ${bar.text.textContent}` : "The whole run");
}

function applyTheme(theme) {
  document.documentElement.dataset.theme = theme;
  bar.theme.textContent = theme === "dark" ? "Light theme" : "Dark theme";
}

function switchTheme() {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  applyTheme(theme);
  try {
    localStorage.setItem("molotov-theme", theme);
  } catch {
    // A page from a file may have no storage. The theme then holds until the page is closed.
  }
}

const parts = { charts: new Map(), groups: new Map(), custom: new Map(), errors: new ErrorList() };
const sections = {
  banner: create("div"),
  tables: create("div"),
  charts: create("div", { class: "charts" }),
  groups: create("div"),
  custom: create("div"),
  generator: create("p"),
};

function drawBanner({ title, state, label, sentence, facts, tiles, notes }) {
  document.title = `${title}: ${label}`;
  const fact = ([name, value]) =>
    create("div", {}, create("dt", {}, name), create("dd", { title: tooltip(value) }, value));
  const verdict = create("p", { class: "verdict" }, create("b", { class: "state" }, label), " ", create("span", {}, sentence));
  const tile = (one) => create("div", {}, create("b", { class: one.class || null }, one.value), create("span", {}, one.name));
  sections.banner.replaceChildren(
    create("header", { class: `banner ${state}` }, create("h1", {}, title), verdict, create("dl", { class: "facts" }, ...facts.map(fact))),
    create("section", { class: "tiles", "aria-label": "Totals" }, ...tiles.map(tile)),
    create("div", { id: "notes" }, ...notes.map((note) => create("p", { class: "note" }, note))),
  );
}

/** Updates the element of a key, or makes it and adds it to `parent`. */
function keyed(map, key, parent, make, update) {
  let part = map.get(key);
  if (part) update?.(part);
  else {
    part = make();
    map.set(key, part);
    parent.append(part.element ?? part.section);
    if (update) update(part);
  }
  return part;
}

function drawCharts() {
  const seen = new Set();
  for (const chart of data.charts) {
    const spec = { ...chart, axis: data[chart.grid] };
    seen.add(chart.id);
    keyed(parts.charts, chart.id, sections.charts, () => new TimeChart(spec, `chart-${chart.id}`), (part) => part.update(spec));
  }
  const group = data.groups.find(({ id }) => id === data.source);
  if (group) {
    const title = `Distribution of the latency of ${data.source}`;
    const heat = `Latency of ${data.source} over time`;
    seen.add("distribution").add("heat");
    keyed(parts.charts, "distribution", sections.charts, () => new Distribution(title, "chart-distribution"), (part) =>
      part.update(title, group.rows, group.total.latency),
    );
    keyed(parts.charts, "heat", sections.charts, () => new HeatMap(heat, "chart-heat"), (part) => part.update(heat, group.rows));
  }
  for (const [id, part] of parts.charts) {
    if (seen.has(id)) continue;
    part.remove();
    parts.charts.delete(id);
  }
  // A chart that appears later takes its place in the order of the others.
  const order = [...seen].map((id) => parts.charts.get(id).element);
  if (order.some((element, index) => sections.charts.children[index] !== element)) sections.charts.append(...order);
}

/** Draws what depends on the range. */
function draw() {
  drawBar();
  drawCharts();
  for (const group of data.groups) {
    keyed(parts.groups, group.id, sections.groups, () => new GroupTable(group), (table) => table.update(group));
  }
  for (const table of data.custom) {
    keyed(parts.custom, table.id, sections.custom, () => new SortedTable(table), (part) => part.update(table));
  }
  const widest = data.width < 0.02 ? "1 %" : `${Math.round(data.width * 100)} %`;
  accuracy.textContent = range ? `Numbers of a range are counted in bins of ${formatMoment(data.bins.period)}; its times are at most ${widest} too high.` : "";
  parts.errors.update(data.errors);
}

const accuracy = create("p", { class: "soft accuracy" });

const molotov = {
  /** Shows new data in place of the old. The range, the order of tables and open rows stay. */
  update(next) {
    const isFirst = data === null;
    data = next;
    // The bins of a longer run are longer.
    if (range) range = range.from >= data.bins.end ? null : wholeBins(range);
    if (isFirst) {
      const help = "Arrow keys move the crosshair. With Shift they select a range, which Enter picks. Escape shows the whole run.";
      main.replaceChildren(
        sections.banner,
        sections.tables,
        bar.element,
        create("section", { id: "charts" }, create("h2", {}, "Over time"), accuracy, sections.charts),
        sections.groups,
        sections.custom,
        parts.errors.section,
        create("section", { id: "generator" }, create("h2", {}, "Generator"), sections.generator),
        create("p", { id: "chart-help", class: "hidden" }, help),
        live,
      );
    }
    drawBanner(data.banner);
    sections.tables.replaceChildren(...data.tables.map(textTable));
    sections.generator.textContent = data.generator;
    document.getElementById("charts").hidden = data.charts.length === 0;
    draw();
  },
};
window.molotov = molotov;

/** Reads the data that the page contains. */
async function read() {
  const text = JSON.parse(document.getElementById("data").textContent);
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

let theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
try {
  theme = localStorage.getItem("molotov-theme") ?? theme;
} catch {
  // A page from a file may have no storage.
}
applyTheme(theme);

let closed = [];
addEventListener("beforeprint", () => {
  setCursor(null);
  closed = [...document.querySelectorAll("details:not([open])")];
  closed.forEach((details) => (details.open = true));
});
addEventListener("afterprint", () => closed.forEach((details) => (details.open = false)));

/** Resolves when the page is drawn. A browser that cannot read the data keeps the page without scripts. */
molotov.ready = typeof DecompressionStream === "undefined" ? Promise.resolve() : read().then(
  // Data that arrived first is newer.
  (first) => data ?? molotov.update(first),
);
