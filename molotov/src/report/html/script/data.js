// The data of the page, and what a range of it contains.

/** The current data; `null` until it is read. */
let data = null;
/** The picked range in seconds; `null` for the whole run. */
let range = null;

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const DIGIT = new Map([...DIGITS].map((digit, value) => [digit, value]));

/** Reads numbers that are packed as unsigned base64 VLQ. */
function unpack(text) {
  const numbers = [];
  let number = 0;
  let scale = 1;
  for (const character of text) {
    const digit = DIGIT.get(character);
    number += (digit & 31) * scale;
    scale *= 32;
    if (digit < 32) {
      numbers.push(number);
      number = 0;
      scale = 1;
    }
  }
  return numbers;
}

const courses = new WeakMap();

/** The course of a row: for each bin, `ok`, `failed`, and `latency` as alternating buckets and counts. */
function courseOf(row) {
  if (!row.course) return { ok: [], failed: [], latency: [] };
  let course = courses.get(row.course);
  if (!course) {
    const numbers = unpack(row.course.latency);
    const latency = [];
    for (let at = 0; at < numbers.length; ) {
      const bin = [];
      let bucket = 0;
      for (let runs = numbers[at++]; runs > 0; runs -= 1) {
        bucket += numbers[at++];
        for (let length = numbers[at++]; length > 0; length -= 1) bin.push(bucket++, numbers[at++]);
      }
      latency.push(bin);
    }
    course = { ok: unpack(row.course.ok), failed: unpack(row.course.failed ?? ""), latency };
    courses.set(row.course, course);
  }
  return course;
}

const binStart = (axis, index) => axis.period * index;
const binEnd = (axis, index) => (index + 1 >= axis.count ? axis.end : axis.period * (index + 1));
const binLength = (axis, index) => Math.max(binEnd(axis, index) - binStart(axis, index), 1e-3);
const binMiddle = (axis, index) => binStart(axis, index) + binLength(axis, index) / 2;

/** The part of the run that is shown, in seconds. */
function shown() {
  return range ?? { from: 0, to: Math.max(data.bins.end, 1e-3) };
}

/** The first bin after the warm-up. */
const warmBin = () => Math.min(Math.floor(data.warm_up / data.bins.period + 1e-6), data.bins.count);

/** The first bin of the range and the one after the last. Without a range, all bins after the warm-up. */
function shownBins() {
  const { count, period } = data.bins;
  if (!range) return [warmBin(), count];
  const last = range.to >= data.bins.end ? count : Math.round(range.to / period);
  return [Math.round(range.from / period), last];
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Adds the latencies of some bins to the counts of buckets. */
function addLatency(counts, course, from, to) {
  for (const bin of course.latency.slice(from, to)) {
    for (let at = 0; at < bin.length; at += 2) counts[bin[at]] += bin[at + 1];
  }
  return counts;
}

const noLatency = () => new Float64Array(data.edges.length);

/** A percentile in microseconds; `null` if there are too few latencies to estimate it. */
function percentile(counts, percent, total = sum(counts)) {
  if (total === 0 || ((total + 1) * (1 - percent / 100) < 1 - 1e-9 && percent < 100)) return null;
  const rank = Math.max(Math.ceil((percent / 100) * total), 1);
  let seen = 0;
  for (let bucket = 0; bucket < counts.length; bucket += 1) {
    seen += counts[bucket];
    if (seen >= rank) return data.edges[bucket];
  }
  return null;
}

function timesOf(counts) {
  const total = sum(counts);
  if (total === 0) return null;
  const weighted = counts.reduce((all, count, bucket) => all + count * data.edges[bucket], 0);
  const at = (percent) => percentile(counts, percent, total);
  return { mean: weighted / total, p50: at(50), p90: at(90), p95: at(95), p99: at(99), max: at(100) };
}

/** What a row contains in the picked range. */
function rowInRange(rows) {
  const [from, to] = shownBins();
  const counts = noLatency();
  const result = { ok: 0, failed: 0 };
  for (const row of rows) {
    const course = courseOf(row);
    result.ok += sum(course.ok.slice(from, to));
    result.failed += sum(course.failed.slice(from, to));
    addLatency(counts, course, from, to);
  }
  return { ...result, latency: timesOf(counts) };
}

/** The seconds of the picked range, or those of the whole run that rates refer to. */
const shownSeconds = () => (range ? range.to - range.from : data.seconds);

/** A chart of percentiles of a row over time. */
function percentilesOverTime(row) {
  const { latency } = courseOf(row);
  const bins = Array.from({ length: data.bins.count }, (_, bin) => {
    const counts = addLatency(noLatency(), { latency }, bin, bin + 1);
    const total = sum(counts);
    // Charts show every percentile, as those of the whole run do.
    return [50, 95, 99].map((percent) => {
      const rank = Math.max(Math.ceil((percent / 100) * total), 1);
      let seen = 0;
      const bucket = counts.findIndex((count) => (seen += count) >= rank);
      return total === 0 ? null : data.edges[bucket];
    });
  });
  return ["p50", "p95", "p99"].map((name, index) => ({
    name,
    class: "abc"[index],
    filled: false,
    values: bins.map((bin) => bin[index]),
  }));
}
