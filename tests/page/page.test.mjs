// Drives the live page and the HTML report in Chromium, as people do, and compares what they show with the JSON report.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { Run, launch, open, read, shows, startService } from "./support.mjs";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

let browser, service, run, report, json;

before(async () => {
  [browser, service] = await Promise.all([launch(), startService()]);
  run = new Run(service, ["-c", "-d", "120", "--seed", "1", "--threshold", "p95(browse) < 5s", "--threshold", "failures < 1%"]);
});

after(async () => {
  await browser?.close();
  await run?.remove();
  service?.stop();
});

/** Asserts that a page has reported no error, and has requested only its own origin. */
function assertSilent({ record }, origin) {
  assert.deepEqual(record.errors, []);
  const outside = record.requests.filter((url) => !url.startsWith(origin) && !/^(data|blob):/.test(url));
  assert.deepEqual(outside, []);
}

/** Asserts that no element is wider than the window, except for what scrolls, and that shortened texts have a tooltip. */
async function assertNothingIsClipped(page) {
  const clipped = await page.evaluate(() => {
    const found = [];
    const { clientWidth, scrollWidth } = document.documentElement;
    if (scrollWidth > clientWidth) found.push(`the page is ${scrollWidth} wide in a window of ${clientWidth}`);
    for (const element of document.querySelectorAll("body *")) {
      if (element.closest(".hidden, script, style, [hidden], svg *") || !element.checkVisibility()) continue;
      const { right, left } = element.getBoundingClientRect();
      const describe = () => `<${element.localName} class="${element.getAttribute("class") ?? ""}">: ${element.textContent.slice(0, 60)}`;
      if (!element.closest(".scroll > *") && (right > clientWidth + 1 || left < -1)) found.push(`outside: ${describe()}`);
      const style = getComputedStyle(element);
      const isShort = style.overflowX === "hidden" && element.scrollWidth > element.clientWidth + 1;
      if (isShort && element.textContent && element.localName !== "svg" && !element.closest("[title]")) found.push(`no tooltip: ${describe()}`);
    }
    return found;
  });
  assert.deepEqual(clipped, []);
}

async function assertAccessible(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const found = violations.map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map(({ html }) => html).join("\n")}`);
  assert.deepEqual(found, []);
}

/** Reads a table as a list of rows, each with the texts of its cells by column. */
function table(page, id) {
  return page.evaluate((id) => {
    const text = (element) => element.querySelector("button, span")?.textContent ?? element.textContent;
    const element = document.querySelector(`#${id} table`);
    const heads = [...element.tHead.rows[0].cells].map(text);
    const rows = [...element.tBodies[0].rows, ...(element.tFoot?.rows ?? [])].filter(({ className }) => !className);
    return rows.map((row) => Object.fromEntries([...row.cells].map((cell, index) => [heads[index], text(cell)])));
  }, id);
}

/** Asserts that a table of names shows the numbers of the JSON report. */
async function assertTableEqualsJson(page, id) {
  const rows = await table(page, id);
  assert.equal(rows.length, json[id].length + 1);
  assert.equal(rows.at(-1).Name, "Total");
  for (const row of json[id]) {
    const shown = rows.find(({ Name }) => Name === row.name);
    assert.ok(shown, `no row ${row.name} in ${JSON.stringify(rows)}`);
    const { latency_ms: latency, count, failed, rate } = row;
    const numbers = { Count: count, Failed: failed, "Failed %": (100 * failed) / count, "Rate /s": rate };
    const times = { Mean: latency.mean, p50: latency.p50, p90: latency.p90, p95: latency.p95, p99: latency.p99, Max: latency.max };
    for (const [column, number] of Object.entries({ ...numbers, ...times })) {
      assert.ok(shows(shown[column], number), `${row.name}, ${column}: ${shown[column]} instead of ${number}`);
    }
  }
  assert.equal(read(rows.at(-1).Count), json[id].reduce((sum, { count }) => sum + count, 0));
}

/** The number in a tile. */
const tile = (page, name) => page.locator(".tiles div", { hasText: name }).locator("b").textContent().then(read);

describe("the live page", () => {
  test("shows the run to two viewers, and its end", async () => {
    const url = await run.url();
    const viewers = await Promise.all([open(browser, url), open(browser, url, { viewport: { width: 390, height: 800 } })]);
    for (const { page } of viewers) {
      assert.equal(await page.locator(".state").textContent(), "Running");
      await page.locator(".verdict", { hasText: "1 of 2 thresholds is broken so far." }).waitFor();
      await page.locator("#scenarios button.name").first().waitFor();
      const before = await tile(page, "scenarios succeeded");
      await page.waitForFunction(
        (before) => Number(document.querySelector(".tiles b").textContent.replaceAll(",", "")) > before,
        before,
      );
    }
    // The report needs some seconds.
    await viewers[0].page.waitForFunction(() => /(\b[7-9]|\d\d)(\.\d+)? s/.test(document.querySelector(".bar .picked").textContent));
    // What the viewer has chosen stays when the data changes.
    const [{ page }] = viewers;
    await page.locator("#scenarios button.name", { hasText: "browse" }).click();
    await page.locator("#scenarios button.sort", { hasText: "Count" }).click();
    await assertAccessible(page);
    run.process.kill("SIGINT");
    assert.equal(await run.ended, 1, "a threshold is broken");
    for (const { page } of viewers) {
      await page.locator(".state", { hasText: "Not passed" }).waitFor();
      assert.equal(await tile(page, "scenarios succeeded"), run.json().totals.successes);
      await assertNothingIsClipped(page);
    }
    assert.equal(await page.locator("#scenarios .detail figure").count(), 3);
    const names = (await table(page, "scenarios")).map(({ Name }) => Name);
    assert.equal(names[0], "browse");
    // The page remains usable.
    await page.locator("#scenarios button.name", { hasText: "browse" }).click();
    assert.equal(await page.locator("#scenarios .detail").count(), 0);
    assert.equal(await page.locator("[role=status].note").count(), 0, "the page expects no more data");
    for (const viewer of viewers) {
      assertSilent(viewer, url);
      await viewer.close();
    }
  });

  test("says when it has lost the run", async () => {
    const other = new Run(service, ["-q", "-p", "2", "-d", "60"]);
    const viewer = await open(browser, await other.url());
    await viewer.page.locator(".tiles div", { hasText: /^[1-9][\d,]*scenarios succeeded/ }).waitFor();
    other.process.kill("SIGKILL");
    await viewer.page.locator("[role=status].note", { hasText: "connection to the run is lost" }).waitFor();
    assert.ok((await tile(viewer.page, "scenarios succeeded")) > 0);
    await viewer.close();
    await other.remove();
  });
});

describe("the report", () => {
  let view;

  before(async () => {
    await run.ended;
    json = run.json();
    report = pathToFileURL(run.path("run.html")).href;
    view = await open(browser, report);
  });

  after(async () => {
    assertSilent(view, report);
    await view.close();
  });

  test("shows the numbers of the JSON report", async () => {
    const { page } = view;
    assert.equal(await tile(page, "scenarios succeeded"), json.totals.successes);
    assert.equal(await tile(page, "scenarios failed"), json.totals.failures);
    for (const id of ["scenarios", "requests"]) await assertTableEqualsJson(page, id);
    const thresholds = await page.locator("#thresholds tbody tr").allTextContents();
    assert.equal(thresholds.length, 2);
    const counts = await page.locator("#errors summary b").allTextContents();
    const expected = json.errors.map(({ count }) => count).sort((one, other) => other - one);
    assert.deepEqual(counts.map((text) => read(text.replace("×", ""))), expected);
  });

  test("shows names and errors as text", async () => {
    const { page } = view;
    const names = (await table(page, "scenarios")).map(({ Name }) => Name);
    assert.ok(names.includes("<img src=x onerror=alert(1)>"), names.join("\n"));
    assert.equal(await page.locator("main img, main script, main iframe").count(), 0);
    assert.notEqual(await page.title(), "hostile");
    await page.locator("#errors summary", { hasText: "ValueError" }).click();
    const message = page.locator("#errors details[open] pre").first();
    assert.match(await message.textContent(), /<\/script><script>document\.title = "hostile"<\/script>/);
    const long = page.locator("#scenarios button.name[title^='long long']");
    assert.ok((await long.getAttribute("title")).length > 250);
  });

  test("shows the values under the crosshair", async () => {
    const { page } = view;
    const chart = page.locator("#chart-requests");
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.locator("svg").first().boundingBox();
    for (const share of [0.35, 0.6]) {
      await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
      const seconds = read((await chart.locator(".at").textContent()).replace("at ", "")) / 1e3;
      const point = json.timeline.find(({ at_s, period_s }) => at_s - period_s < seconds && seconds <= at_s);
      const [requests, failed] = await chart.locator(".value").allTextContents();
      assert.ok(shows(requests, point.requests / point.period_s), `${requests} at ${seconds} s`);
      assert.ok(shows(failed, point.request_failures / point.period_s), `${failed} at ${seconds} s`);
      // All charts show the same moment.
      const times = await page.locator("#chart-latency .value").allTextContents();
      assert.ok(shows(times[0], point.p50_ms), `${times} at ${seconds} s`);
      assert.match(await page.locator("#chart-workers .at").textContent(), /^at /);
    }
    await page.mouse.move(5, 5);
    assert.equal(await chart.locator(".value").first().textContent(), "");
  });

  /** The scenarios that ended between two seconds. */
  const ended = (from, to) =>
    json.timeline
      .filter(({ at_s, period_s }) => at_s - period_s >= from - 1e-6 && at_s <= to + 1e-6)
      .reduce((sum, { successes, failures }) => sum + successes + failures, 0);

  test("narrows its tables to a range that is dragged", async () => {
    const { page } = view;
    const chart = page.locator("#chart-scenarios");
    await chart.scrollIntoViewIfNeeded();
    const box = await chart.locator("svg").first().boundingBox();
    const y = box.y + box.height / 2;
    await page.mouse.move(box.x + box.width * 0.3, y);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.45, y, { steps: 4 });
    await page.mouse.move(box.x + box.width * 0.6, y, { steps: 4 });
    await page.mouse.up();
    const picked = await page.locator(".bar .picked").textContent();
    const [from, to] = picked.split("–").map((text) => read(text.trim() === "0" ? "0 s" : text) / 1e3);
    assert.ok(from > 0 && to > from && to < json.elapsed_s, picked);
    const rows = await table(page, "scenarios");
    assert.equal(read(rows.at(-1).Count), ended(from, to));
    assert.ok(shows(rows.at(-1)["Rate /s"], ended(from, to) / (to - from)), rows.at(-1)["Rate /s"]);
    const sum = rows.slice(0, -1).reduce((sum, { Count }) => sum + read(Count), 0);
    assert.equal(sum, ended(from, to));
    for (const { Name, Count } of rows.slice(0, -1)) {
      const course = json.courses.scenarios.find(({ name }) => name === Name);
      assert.equal(read(Count), course.count.slice(from, to).reduce((sum, count) => sum + count, 0), Name);
    }
    await page.locator(".bar .reset").click();
    await assertTableEqualsJson(page, "scenarios");
  });

  test("counts no more errors in a range than there are", async () => {
    const other = new Run(service, ["-q", "-d", "4", "--warm-up", "2"]);
    await other.ended;
    const viewer = await open(browser, `file://${other.path("run.html")}`);
    const { page } = viewer;
    await page.locator("#chart-scenarios .plot").focus();
    for (const key of ["Home", "Shift+ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Enter"]) await page.keyboard.press(key);
    const counts = await page.locator("#errors summary b").allTextContents();
    assert.ok(counts.length > 0, "errors have occurred in the range");
    for (const text of counts) {
      const [, some, all] = text.match(/^([\d,]+) of ([\d,]+) ×$/) ?? [];
      assert.ok(read(some) <= read(all), text);
    }
    await viewer.close();
    await other.remove();
  });

  test("is used with the keyboard alone", async () => {
    const { page } = view;
    const plot = page.locator("#chart-scenarios .plot");
    await plot.focus();
    for (const key of ["Home", "ArrowRight", "Shift+ArrowRight", "Shift+ArrowRight", "Enter"]) await page.keyboard.press(key);
    assert.match(await page.locator(".bar .picked").textContent(), /^1\S* s – 3\S* s$/);
    assert.equal(read((await table(page, "scenarios")).at(-1).Count), ended(1, 3));
    for (const key of ["Home", "ArrowRight", "Shift+ArrowRight", "Enter"]) await page.keyboard.press(key);
    assert.match(await page.locator(".bar .picked").textContent(), /^2\S* s – 3\S* s$/);
    const shown = await table(page, "requests");
    for (const course of json.courses.requests) {
      const row = shown.find(({ Name }) => Name === course.name);
      assert.deepEqual([read(row.Count), read(row.Failed)], [course.count[2], course.failed[2]], course.name);
      for (const [column, field] of [["p50", "p50_ms"], ["p95", "p95_ms"], ["Max", "max_ms"]]) {
        const [one, other] = [read(row[column]), course[field][2]];
        // Both are in buckets that are 1 % wide.
        assert.ok(one === other || Math.abs(one / other - 1) < 0.02, `${course.name}, ${column}: ${one} and ${other}`);
      }
    }
    await page.keyboard.press("Escape");
    await assertTableEqualsJson(page, "scenarios");
    await page.locator("#requests button.sort", { hasText: "Name" }).focus();
    await page.keyboard.press("Enter");
    await page.keyboard.press("Enter");
    const names = (await table(page, "requests")).slice(0, -1).map(({ Name }) => Name);
    assert.deepEqual(names, [...names].sort(new Intl.Collator("en", { numeric: true }).compare).reverse());
    const row = page.locator("#scenarios button.name", { hasText: "browse" });
    await row.focus();
    await page.keyboard.press("Space");
    assert.equal(await row.getAttribute("aria-expanded"), "true");
    assert.ok(await row.evaluate((button) => button === document.activeElement), "the row keeps the focus");
    await page.keyboard.press("Space");
    assert.equal(await page.locator(".detail").count(), 0);
  });

  test("sorts its tables", async () => {
    const { page } = view;
    for (const column of ["Count", "Failed", "p95"]) {
      const head = page.locator("#requests thead th", { hasText: new RegExp(`^${column}$`) });
      for (const order of ["descending", "ascending"]) {
        await head.locator("button").click();
        assert.equal(await head.getAttribute("aria-sort"), order);
        const shown = (await table(page, "requests")).slice(0, -1).map((row) => read(row[column]) ?? -1);
        const sorted = [...shown].sort((one, other) => (order === "ascending" ? one - other : other - one));
        assert.deepEqual(shown, sorted, `${column}, ${order}`);
      }
    }
  });

  test("shows checks and own values, and sorts them", async () => {
    const { page } = view;
    const rows = await table(page, "checks");
    assert.deepEqual(rows.map(({ Name }) => Name), ["<img src=x onerror=alert(3)>", "is <b>fast</b>", "Total"]);
    for (const [index, check] of json.checks.entries()) {
      assert.equal(read(rows[index].Passed), check.passed);
      assert.equal(read(rows[index].Failed), check.failed);
    }
    assert.match(rows[0]["First failure"], /^in browse at .*loadtest\.py:\d+: <\/script><script>alert\(4\)/);
    assert.equal((await table(page, "counters"))[0].Name, "retries");
    assert.equal(read((await table(page, "values"))[0].Max), json.values[0].max);
    assert.equal(read((await table(page, "gauges"))[0].Last), 17);
    const head = page.locator("#checks thead th", { hasText: /^Failed$/ });
    for (const [order, first] of [["descending", "<img src=x onerror=alert(3)>"], ["ascending", "is <b>fast</b>"]]) {
      await head.locator("button").click();
      assert.equal(await head.getAttribute("aria-sort"), order);
      assert.equal((await table(page, "checks"))[0].Name, first);
    }
  });

  test("hides a series whose legend is clicked", async () => {
    const { page } = view;
    const chart = page.locator("#chart-latency");
    const button = chart.locator(".legend button", { hasText: "p99" });
    const paths = chart.locator("svg svg path");
    const before = await paths.count();
    await button.click();
    assert.equal(await button.getAttribute("aria-pressed"), "false");
    assert.equal(await paths.count(), before - 1);
    await button.click();
    assert.equal(await paths.count(), before);
  });

  test("opens the charts of a row", async () => {
    const { page } = view;
    const row = page.locator("#scenarios button.name", { hasText: "browse" });
    await row.click();
    const figures = page.locator("#scenarios .detail figure");
    assert.equal(await figures.count(), 3);
    const box = await figures.first().locator("svg").first().boundingBox();
    await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const shown = read(await figures.first().locator(".value").first().textContent());
    assert.ok(shown > 0);
    await assertNothingIsClipped(page);
    await assertAccessible(page);
    await row.click();
  });

  for (const width of [390, 1280]) {
    for (const colorScheme of ["light", "dark"]) {
      test(`is accessible and not clipped at ${width} px, ${colorScheme}`, async () => {
        const viewer = await open(browser, report, { colorScheme, viewport: { width, height: 800 } });
        await assertNothingIsClipped(viewer.page);
        await assertAccessible(viewer.page);
        await viewer.page.locator("#errors summary").first().click();
        await viewer.page.locator("#scenarios button.name").first().click();
        await assertNothingIsClipped(viewer.page);
        const background = () => viewer.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const before = await background();
        await viewer.page.locator(".theme").click();
        assert.notEqual(await background(), before);
        await assertAccessible(viewer.page);
        assertSilent(viewer, report);
        await viewer.close();
      });
    }
  }

  test("prints everything", async () => {
    const viewer = await open(browser, report);
    const pdf = await viewer.page.pdf({ preferCSSPageSize: true });
    assert.ok(pdf.subarray(0, 5).toString() === "%PDF-" && pdf.length > 10_000);
    // An A4 page in landscape has 1,047 px between its margins.
    await viewer.page.setViewportSize({ width: 1047, height: 700 });
    await viewer.page.emulateMedia({ media: "print" });
    const lost = await viewer.page.evaluate(() =>
      [...document.querySelectorAll(".scroll, table, figure, pre")]
        .filter((element) => element.checkVisibility() && element.getBoundingClientRect().right > innerWidth + 1)
        .map(({ outerHTML }) => outerHTML.slice(0, 200)),
    );
    assert.deepEqual(lost, []);
    assertSilent(viewer, report);
    await viewer.close();
  });

  test("is complete without scripts", async () => {
    for (const width of [390, 1280]) {
      const viewer = await open(browser, report, { javaScriptEnabled: false, viewport: { width, height: 800 } });
      for (const id of ["scenarios", "requests"]) await assertTableEqualsJson(viewer.page, id);
      assert.ok((await viewer.page.locator("#charts figure svg path").count()) > 10);
      await assertNothingIsClipped(viewer.page);
      assertSilent(viewer, report);
      await viewer.close();
    }
  });
});
