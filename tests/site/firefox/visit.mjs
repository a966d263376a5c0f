// Firefox through WebDriver BiDi: open pages one after the other, run a function in each, say what came out.
//
//   node visit.mjs < {modules, executable, visits: [{address, action}]}
//
// Writes a JSON list: {answer, faults, requests} of each visit. Whatever is not on this computer cannot be reached:
// Firefox is given a proxy that does not exist.
import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const { modules, executable, visits } = JSON.parse(await text(process.stdin));
const puppeteer = createRequire(`${modules}/here.cjs`)("puppeteer-core").default;
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath: executable,
  headless: true,
  extraPrefsFirefox: {
    "network.proxy.type": 1,
    "network.proxy.http": "127.0.0.1",
    "network.proxy.http_port": 9,
    "network.proxy.ssl": "127.0.0.1",
    "network.proxy.ssl_port": 9,
    "network.proxy.no_proxies_on": "127.0.0.1",
    "network.proxy.allow_hijacking_localhost": false,
  },
});
const told = [];
try {
  for (const { address, action } of visits) {
    const page = await browser.newPage();
    const faults = [];
    const requests = [];
    page.on("pageerror", (error) => faults.push(`script error: ${error.message}`));
    page.on("console", (message) => message.type() === "error" && faults.push(`console: ${message.text()}`));
    page.on("request", (request) => requests.push(request.url()));
    await page.goto(address, { waitUntil: "load" });
    let answer;
    try {
      answer = await page.evaluate(`(${action})()`);
    } catch (error) {
      faults.push(error.message);
    }
    told.push({ answer, faults, requests });
    await page.close();
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(told));
