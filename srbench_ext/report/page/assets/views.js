// The pages behind the hash, and the start.

function tableView(data, slug) {
  const table = data.tables.find((one) => one.slug === slug) || data.tables[0];
  const pick = data.tables.length > 1 ? el("div", { class: "tools" }, el("label", {}, "Table ", el("select", { id: "which",
    onchange: (event) => { location.hash = `#/table/${encodeURIComponent(event.target.value)}`; } },
    data.tables.map((one) => el("option", { value: one.slug, selected: one === table }, one.title))))) : null;
  return [
    pick,
    el("h2", {}, table.title),
    grid(table.grid.columns, table.grid.rows, { id: "scores", kinds: table.grid.kinds, choose: ["track"] }),
    el("ul", { class: "notes" }, table.notes.map((note) => el("li", {}, marked(note)))),
    el("h2", {}, "Accuracy against cost"),
    el("div", { class: "charts" }, paretoChart(table, "complexity"), paretoChart(table, "seconds")),
    el("h2", {}, "Over time, and by rank"),
    el("div", { class: "charts" }, anytimeChart(table), table.ranks ? rankChart(table.ranks) : null),
    table.pairs.rows.length ? section("Pairs", grid(table.pairs.columns, table.pairs.rows, { id: "pairs", choose: ["measure", "a", "b"] })) : null,
    table.beside.rows.length ? section("Beside published figures, problem by problem", el("p", { class: "notes" }, data.published.caveat),
      grid(table.beside.columns, table.beside.rows, { id: "beside", most: 30, choose: ["measure", "method", "source"] })) : null,
  ];
}

function paretoChart(table, cost) {
  const accuracy = table.judged ? "rate_r2_gt_0.99" : "median_r2";
  const label = table.judged ? "share of runs with R² > 0.99" : "median R²";
  const at = (point) => ({ x: point[`mean_${cost}`], y: point[accuracy],
    name: `${point.method}${point.kind === "published" ? " (published)" : ""}\n${label} ${written(point[accuracy], ".3f")}, mean ${cost} ${written(point[`mean_${cost}`], "g")}` });
  const measured = table.points.filter((point) => point.kind === "measured");
  const published = table.points.filter((point) => point.kind === "published").map(at).filter((point) => fits(point.x) && fits(point.y));
  const series = measured.map((point) => ({ name: point.method, points: [at(point)] }));
  if (published.length) series.push({ name: "published", points: published, hollow: true, colour: "var(--faint)" });
  return chart({ id: `pareto-${cost}`, x: { label: `mean ${cost}`, log: cost === "seconds" }, y: { label }, series,
    path: paretoFront(measured.map(at)), caption: "The line runs along measured methods that no other beats in both." });
}

function anytimeChart(table) {
  const series = Object.entries(table.anytime).map(([name, curve]) => ({ name, line: true,
    points: curve.map(([x, y]) => ({ x, y, name: `${name}: ${written(y, ".3f")} after ${short(x)} s` })) }));
  return chart({ id: "anytime", x: { label: "seconds", log: true }, y: { label: "share of runs with R² > 0.99" }, series,
    caption: "Share of runs whose incumbent is that good after so many seconds." });
}

function problemsView(data) {
  const place = (key) => data.problems.columns.findIndex((column) => column.key === key);
  return [
    el("h2", {}, "Problems"),
    el("p", { class: "notes" }, "One row a problem, noise level and method; a row opens the problem."),
    grid(data.problems.columns, data.problems.rows, { id: "problems", choose: ["suite", "noise", "method", "protocol", "part", "statuses"], open: (i) => {
      const row = data.problems.rows[i];
      const [suite, problem, method, noise] = ["suite", "problem", "method", "noise"].map((key) => row[place(key)]);
      const run = data.runs.find((one) => one.suite === suite && one.problem === problem && one.method === method && one.noise === noise);
      location.hash = problemPath(suite, problem, run && run.id);
    } }),
  ];
}

function problemView(data, suite, problem, id) {
  const runs = data.runs.filter((run) => run.suite === suite && run.problem === problem);
  const law = data.laws[`${suite}/${problem}`];
  const title = el("h2", {}, `${suite} / ${problem}`);
  if (!runs.length) return [title, el("p", {}, `The page holds no run of this problem.${leftOut(data)}`)];
  const run = runs.find((one) => one.id === id) || runs[0];
  const columns = [["method", "s"], ["noise", "g"], ["trial", "d"], ["status", "s"], ["R²", ".6f"], ["recovered", "s"], ["complexity", "d"], ["seconds", ".2f"], ["formula", "s"]];
  const rows = runs.map((one) => [one.method, one.noise, one.trial, one.status, one.r2, law.text ? verdict(one.recovery.srbench) : null, one.complexity, one.seconds, one.formula && one.formula.text]);
  return [
    title,
    section("Truth", law.text ? formula(law) : el("p", {}, "Nobody knows the law of this table.")),
    law.columns.length ? el("p", { class: "notes" }, `Columns: ${law.columns.join(", ")}.`) : null,
    section("Runs", grid(columns.map(([head, spec]) => ({ key: head, head, spec })), rows, { id: "problem-runs",
      kinds: runs.map((one) => (one === run ? "chosen" : "")), open: (i) => { location.hash = runPath(runs[i]); } })),
    publishedBeside(data, suite, problem),
    runDetail(run, data),
  ];
}

// Ours, medians over trials, above what other people published of the same problem; the latter set apart.
function publishedBeside(data, suite, problem) {
  const rows = data.published.problems[`${suite}/${problem}`];
  if (!rows) return null;
  const place = (key) => data.problems.columns.findIndex((column) => column.key === key);
  const ours = data.problems.rows.filter((row) => row[place("suite")] === suite && row[place("problem")] === problem)
    .map((row) => ["method", "noise", "median_r2", "rate_symbolic", "median_complexity", "median_seconds", "protocol"].map((key) => row[place(key)]));
  return section("Beside published figures", el("p", { class: "notes" }, data.published.caveat),
    grid(data.published.columns, [...ours, ...rows], { id: "problem-published", choose: ["noise"],
      kinds: [...ours.map(() => ""), ...rows.map(() => "published")] }));
}

function failuresView(data) {
  const failed = data.runs.filter((run) => run.status !== "ok");
  const lines = failed.map((run) => el("details", { class: "failure" },
    el("summary", {}, el("span", { class: "failed" }, run.status), ` ${run.method} on `, el("a", { href: runPath(run) }, `${run.suite}/${run.problem}`), `, noise ${run.noise}, trial ${run.trial}`),
    el("pre", { class: "error" }, run.error || "The record says no more.")));
  const columns = [["method", "s"], ["suite", "s"], ["problem", "s"], ["noise", "g"], ["trial", "d"], ["status", "s"], ["error", "s"]];
  const rows = failed.map((run) => [run.method, run.suite, run.problem, run.noise, run.trial, run.status, (run.error || "").trim().split("\n").pop()]);
  return [
    el("h2", {}, "Failures"),
    el("p", { id: "failed" }, `${failed.length} of ${data.runs.length} runs failed.${leftOut(data)}`),
    failed.length ? grid(columns.map(([head, spec]) => ({ key: head, head, spec })), rows, { id: "failures", choose: ["method", "status"], open: (i) => { location.hash = runPath(failed[i]); } }) : null,
    failed.length ? section("In full", lines) : null,
    data.unreadable.length ? section("Records that cannot be read", el("ul", {}, data.unreadable.map((text) => el("li", {}, text)))) : null,
  ];
}

function leftOut(data) {
  return data.runs_left_out ? ` ${data.runs_left_out} runs are in the tables but not on this page: it holds whole runs up to a limit, first trials first.` : "";
}

function provenanceView(data) {
  return [
    el("h2", {}, "Provenance"),
    facts([["written by", `srbench-ext ${data.version}`], ["runs on this page", data.runs.length + leftOut(data)], ["tables", data.tables.length]]),
    section("Protocols", data.protocols.map((protocol) => facts(Object.entries(protocol)))),
    section("Machines and versions", data.environments.map((environment, i) => el("details", { open: data.environments.length === 1 },
      el("summary", {}, `${environment.commit ? String(environment.commit).slice(0, 12) : "no commit"}: ${data.runs.filter((run) => run.environment === i).length} runs`), facts(Object.entries(environment))))),
    section("Methods", grid([["method", "s"], ["version", "s"], ["parameters", "s"], ["weights", "s"], ["runs", "d"]].map(([head, spec]) => ({ key: head, head, spec })), variants(data), { id: "variants" })),
  ];
}

function variants(data) {
  const found = new Map();
  for (const run of data.runs) {
    const row = [run.method, run.facts.version, told(run.facts.parameters), run.facts.weights];
    const key = JSON.stringify(row);
    found.set(key, [...row, (found.has(key) ? found.get(key)[4] : 0) + 1]);
  }
  return [...found.values()];
}

function show(data) {
  const [part, ...rest] = location.hash.replace(/^#\//, "").split("/").map(decodeURIComponent);
  const views = {
    problems: () => problemsView(data),
    problem: () => problemView(data, ...rest),
    failures: () => failuresView(data),
    provenance: () => provenanceView(data),
    table: () => tableView(data, rest[0]),
  };
  const view = views[part] || views.table;
  tip(null);
  document.getElementById("view").replaceChildren(...view().filter(Boolean));
  for (const link of document.querySelectorAll("nav a")) {
    const here = link.getAttribute("href") === `#/${part === "problem" ? "problems" : views[part] && part !== "table" ? part : ""}`;
    if (here) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
}

async function unpack(text) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function start() {
  theme.start();
  const data = await unpack(document.getElementById("data").textContent);
  document.getElementById("name").textContent = data.name;
  let seen = null;
  const draw = () => {
    show(data);
    const page = location.hash.split("/").slice(0, 4).join("/");
    if (page !== seen) scrollTo(0, 0); // another run of the same problem stays where it is
    seen = page;
  };
  addEventListener("hashchange", draw);
  draw();
  document.body.dataset.ready = "yes";
}

start();
