// The service, the load test and the browser that the tests of the page use.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = fileURLToPath(new URL(".", import.meta.url));
const target = process.env.CARGO_TARGET_DIR ?? join(here, "../../target");

/** Starts a service with a fast, a slow and a failing path. */
export async function startService() {
  const server = createServer((request, response) => {
    const answer = (status) => {
      response.writeHead(status, { "content-type": "text/plain" });
      response.end("answer\n");
    };
    if (request.url.startsWith("/slow")) setTimeout(() => answer(200), 10 + Math.random() * 40);
    else answer(request.url.startsWith("/deep") ? 500 : 200);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { url: `http://127.0.0.1:${server.address().port}`, stop: () => server.close() };
}

/** A run of the load test with a live page, and the reports that it writes. */
export class Run {
  constructor(service, options) {
    this.directory = mkdtempSync(join(tmpdir(), "molotov-page-"));
    const reports = ["html", "json"].flatMap((kind) => ["--report", `run.${kind}`]);
    const line = [join(here, "loadtest.py"), "--web", "0", "-w", "5", "--delay", "0.02", ...options, ...reports];
    this.process = spawn(join(target, "debug/molotov"), line, {
      cwd: this.directory,
      env: { ...process.env, TARGET: service.url },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.output = "";
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => (this.output += text));
    }
    this.ended = new Promise((ended) => this.process.on("close", ended));
  }

  /** The URL of the live page, once it is served. */
  async url() {
    const find = () => this.output.match(/^Live page: (.*)$/m)?.[1];
    while (!find()) {
      const more = new Promise((arrived) => [this.process.stdout, this.process.stderr].forEach((stream) => stream.once("data", arrived)));
      const result = await Promise.race([more, this.ended.then(() => null)]);
      if (result === null && !find()) throw new Error(`the run has ended without a live page:\n${this.output}`);
    }
    return find();
  }

  /** The path of a report. */
  path(name) {
    return join(this.directory, name);
  }

  /** Ends the run and removes its reports. */
  async remove() {
    this.process.kill("SIGKILL");
    await this.ended;
    rmSync(this.directory, { recursive: true });
  }

  json() {
    return JSON.parse(readFileSync(this.path("run.json"), "utf8"));
  }
}

export function launch() {
  const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
  // The sandbox needs rights that a container may not have. All pages are our own.
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

/** Opens a page, and records its errors and its requests. */
export async function open(browser, url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  const record = { errors: [], requests: [] };
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) record.errors.push(message.text());
  });
  page.on("pageerror", (error) => record.errors.push(String(error)));
  page.on("dialog", (dialog) => {
    record.errors.push(`a script opened a dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => record.requests.push(request.url()));
  page.setDefaultTimeout(15_000);
  await page.goto(url);
  if (options.javaScriptEnabled !== false) await page.evaluate(() => molotov.ready);
  return { page, record, close: () => context.close() };
}

/** Reads a text such as `1,234`, `12.5 %`, `3.2ms` or `1.5k` as a number, times in milliseconds; `–` becomes `null`. */
export function read(text) {
  if (text.trim() === "–") return null;
  const [, number, unit] = text.trim().match(/^([\d.,]+)\s*(\S*)$/) ?? [];
  if (number === undefined) throw new Error(`not a number: ${text}`);
  const scale = { "": 1, "%": 1, µs: 1e-3, ms: 1, s: 1e3, k: 1e3, M: 1e6, B: 1, KB: 1e3, MB: 1e6 }[unit];
  if (scale === undefined) throw new Error(`not a unit: ${text}`);
  return Number(number.replaceAll(",", "")) * scale;
}

/** Whether a number is what a page shows as `text`, with at least three digits. */
export const shows = (text, number) => {
  const shown = read(text);
  if (shown === null || number === null) return shown === number;
  return Math.abs(shown - number) <= Math.max(Math.abs(number) * 0.0051, 0.0051);
};
