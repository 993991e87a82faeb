// Numbers for display. They read as those of the page without scripts, which format.rs makes.

/** Like `toFixed`, but a tie goes to the even digit. */
function fixed(number, digits) {
  const isTie = Number.isInteger(number * 2 ** (digits + 1)) && (number * 2 ** (digits + 1)) % 2 === 1;
  if (!isTie) return number.toFixed(digits);
  const below = Math.floor(number * 10 ** digits);
  return ((below + (below % 2)) / 10 ** digits).toFixed(digits);
}

const thousands = (number) => fixed(number, 0).replace(/\B(?=(\d{3})+$)/g, ",");

const threeDigits = (number) => fixed(number, number < 9.995 ? 2 : number < 99.95 ? 1 : 0);

/** The largest unit in which the number is at least 1. */
function scaled(number, units) {
  const whole = Number.isInteger(number);
  let unit = 0;
  while (number >= 999.5 && unit + 1 < units.length) {
    number /= 1000;
    unit += 1;
  }
  return (unit === 0 && whole ? String(number) : threeDigits(number)) + units[unit];
}

const formatCount = (number) =>
  number < 1e7 ? thousands(number) : scaled(number, ["", "k", "M", "G", "T", "P"]);

function formatRate(rate) {
  if (rate < 0.005) return "0";
  if (rate < 9.995) return fixed(rate, 2);
  if (rate < 999.95) return fixed(rate, 1);
  return rate < 99999.5 ? thousands(Math.round(rate)) : scaled(rate, ["", "k", "M", "G"]);
}

const formatBytes = (bytes) => scaled(bytes, [" B", " KB", " MB", " GB", " TB", " PB"]);

function formatPercent(part, whole) {
  if (part === 0) return "0 %";
  if (part === whole) return "100 %";
  const percent = (part / whole) * 100;
  if (percent < 0.01) return "<0.01 %";
  return percent < 0.995 ? `${fixed(percent, 2)} %` : `${fixed(Math.min(percent, 99.9), 1)} %`;
}

/** Microseconds. */
function formatLatency(micros) {
  if (micros < 999.5) return `${fixed(micros, 0)}µs`;
  if (micros < 999500) return `${threeDigits(micros / 1e3)}ms`;
  return micros < 99950000 ? `${threeDigits(micros / 1e6)}s` : formatClock(micros / 1e6);
}

function formatClock(time) {
  const seconds = Math.round(time);
  const two = (number) => String(number).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  const minutes = `${Math.floor(seconds / 60) % 60}m${two(seconds % 60)}s`;
  return seconds < 3600 ? minutes : `${Math.floor(seconds / 3600)}h${minutes.padStart(6, "0")}`;
}

/** A moment of the run, for people: `12 s`, `1:30`, `1:05:00`. `step` is the distance between moments that differ. */
function formatMoment(seconds, step = 1) {
  if (seconds === 0) return "0";
  if (seconds < 60) return `${step < 1 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const whole = Math.round(seconds);
  const two = (number) => String(number).padStart(2, "0");
  const minutes = `${Math.floor(whole / 60) % 60}:${two(whole % 60)}`;
  return whole < 3600 ? minutes : `${Math.floor(whole / 3600)}:${minutes.padStart(5, "0")}`;
}
