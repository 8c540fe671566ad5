// One run: what it found, its front, its predictions, and where it comes from.

function problemPath(suite, problem, run) {
  return `#/problem/${encodeURIComponent(suite)}/${encodeURIComponent(problem)}${run ? `/${run}` : ""}`;
}

function runPath(run) {
  return problemPath(run.suite, run.problem, run.id);
}

function verdict(value) {
  return value === null ? "unknown" : value ? "yes" : "no";
}

function runDetail(run, data) {
  const parts = [el("h2", {}, `${run.method}, noise ${run.noise}, trial ${run.trial}`)];
  parts.push(facts([
    ["status", el("span", { class: run.status === "ok" ? "ok" : "failed" }, run.status)],
    ["test R²", written(run.r2, "g") + (run.r2 !== null && run.r2 > 0.999 && run.r2 < 1 ? ` (1 − ${short(1 - run.r2)})` : "")],
    ["training R²", written(run.r2_train, "g")],
    ["test NMSE", written(run.nmse, "g")],
    ["recovered", run.status === "ok" ? `SRBench's rule: ${verdict(run.recovery.srbench)}; symbolic: ${verdict(run.recovery.symbolic)}; numeric: ${verdict(run.recovery.numeric)}` : null],
    ["near the truth", run.near ? `${written(run.near.iid, ".3f")} of the points in the support, ${written(run.near.ood, ".3f")} in thrice its length` : null],
    ["complexity", run.complexity === null ? null : `${run.complexity} tokens` + (run.complexity_simplified === null ? "" : `, ${run.complexity_simplified} simplified`)],
    ["seconds", written(run.seconds, ".2f")],
  ]));
  if (run.error) parts.push(section("What went wrong", el("pre", { class: "error" }, run.error)));
  if (run.formula) parts.push(section("Found", formula(run.formula)));
  parts.push(el("div", { class: "charts" }, frontChart(run), predictionChart(run, data), curveChart(run)));
  if (run.front.length) parts.push(section("Front", frontGrid(run), el("div", { id: "front-formula" })));
  parts.push(section("Provenance", provenance(run, data)));
  return el("article", { id: "run", "data-run": run.id }, parts);
}

function showFront(point) {
  const place = document.getElementById("front-formula");
  place.replaceChildren(formula(point.formula));
  place.scrollIntoView({ block: "nearest" });
}

function frontChart(run) {
  const losses = run.front.map((point) => number(point.loss)).filter((loss) => loss > 0);
  const least = Math.min(...losses) / 10; // where a loss of zero stands on the logarithmic axis
  const points = run.front.map((point) => ({
    x: point.complexity, y: losses.length && number(point.loss) === 0 ? least : point.loss, open: () => showFront(point),
    name: `${point.formula ? point.formula.text.slice(0, 160) : "opaque"}\n${point.complexity} tokens, loss ${written(point.loss, "g")}, test R² ${written(point.r2, "g")}`,
  }));
  const chosen = points.filter((point) => point.x === run.complexity);
  return points.length > 1 ? chart({
    id: "front", x: { label: "complexity (tokens)" }, y: { label: "training loss", log: losses.length > 0 },
    series: [{ name: "front", points: points.filter((point) => !chosen.includes(point)) }, { name: "chosen", points: chosen }],
    caption: `The Pareto front; click a point for its formula.${losses.length < points.length ? " A loss of 0 stands at the bottom." : ""}`,
  }) : null;
}

function frontGrid(run) {
  const columns = [["complexity", "d"], ["loss", "g"], ["test R²", ".6f"], ["seconds", ".2f"], ["source", "s"], ["formula", "s"]];
  return grid(columns.map(([head, spec]) => ({ key: head, head, spec })),
    run.front.map((p) => [p.complexity, p.loss, p.r2, p.seconds, p.source, p.formula ? p.formula.text : "opaque"]),
    { id: "front-grid", open: (i) => showFront(run.front[i]) });
}

function predictionChart(run, data) {
  const found = run.prediction;
  if (!found) return null;
  if (found.missing) return el("figure", { id: "prediction" }, el("figcaption", {}, `No predictions: ${found.missing}.`));
  const truth = data.rows[found.rows];
  const points = truth.map((y, i) => ({ x: y, y: found.predicted[i], name: `truth ${y}, prediction ${found.predicted[i]}` }));
  const lost = found.predicted.filter((value) => value === null).length;
  return chart({
    id: "prediction", x: { label: "truth" }, y: { label: "prediction" }, diagonal: true,
    series: [{ name: "test rows", points, small: true }],
    caption: `${truth.length} test rows, computed again from the formula${lost ? `; ${lost} predictions are not finite` : ""}. The line is a perfect prediction.`,
  }) || el("figure", { id: "prediction" }, el("figcaption", {}, "No prediction on these rows is finite."));
}

function curveChart(run) {
  const points = run.curve.map(([seconds, r2]) => ({ x: seconds, y: Math.max(number(r2), 0), name: `after ${seconds} s: test R² ${written(r2, "g")}` }));
  return points.length > 1 ? chart({
    id: "incumbents", x: { label: "seconds", log: true }, y: { label: "test R², at least 0" }, path: points,
    series: [{ name: "incumbents", points }], caption: "The best model by training loss as it came.",
  }) : null;
}

function provenance(run, data) {
  const protocol = data.protocols[run.protocol];
  const environment = data.environments[run.environment];
  return facts([["run", run.id], ["protocol", told(protocol)], ...Object.entries(run.facts), ...Object.entries(environment)]);
}
