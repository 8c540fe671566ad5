// Charts as SVG. Every point has a name; the pointer, or the keyboard, brings it up.

const BOX = { width: 560, height: 360, left: 62, right: 14, top: 12, bottom: 46 };
const NEAR = 28; // in units of the drawing

const COLOURS = 10;

function colour(index) {
  return `var(--s${index % COLOURS})`;
}

// Colours come again after ten methods, then with squares and dashes.
function again(index) {
  return Math.floor(index / COLOURS) % 2 === 1;
}

function axis(values, log, pad = 0.06) {
  const known = values.filter((value) => Number.isFinite(value) && (!log || value > 0));
  if (!known.length) return null;
  const to = log ? Math.log10 : (x) => x;
  let [low, high] = [Math.min(...known.map(to)), Math.max(...known.map(to))];
  const room = (high - low) * pad || Math.abs(high) * 0.05 || 0.5;
  low -= room;
  high += room;
  return { low, high, log, at: (value) => (to(value) - low) / (high - low), ticks: log ? decades(low, high) : steps(low, high) };
}

function steps(low, high) {
  const rough = (high - low) / 7;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((x) => x * power).find((x) => x >= rough);
  const ticks = [];
  for (let i = Math.ceil(low / step); i * step <= high; i += 1) ticks.push(Number((i * step).toPrecision(12)));
  return ticks;
}

function decades(low, high) {
  const every = Math.max(1, Math.ceil((high - low) / 7));
  const ticks = [];
  for (let power = Math.ceil(low); power <= high; power += every) ticks.push(10 ** power);
  if (ticks.length >= 2) return ticks;
  return steps(10 ** low, 10 ** high).filter((tick) => tick > 0);
}

// chart: {id, x, y: {label, log}, series: [{name, points: [{x, y, name, open}], hollow, colour, line}], path, diagonal, caption}
function chart(drawn) {
  const all = drawn.series.flatMap((series) => series.points).concat(drawn.path || []);
  const X = axis(all.map((point) => number(point.x)), drawn.x.log);
  const Y = axis(all.map((point) => number(point.y)), drawn.y.log);
  if (!X || !Y) return null;
  const px = (value) => BOX.left + X.at(value) * (BOX.width - BOX.left - BOX.right);
  const py = (value) => BOX.height - BOX.bottom - Y.at(value) * (BOX.height - BOX.top - BOX.bottom);
  const picture = svg("svg", { viewBox: `0 0 ${BOX.width} ${BOX.height}`, role: "img", "aria-label": `${drawn.y.label} against ${drawn.x.label}` });
  frame(picture, drawn, X, Y, px, py);
  if (drawn.diagonal) {
    const [low, high] = [Math.max(X.low, Y.low), Math.min(X.high, Y.high)];
    if (low < high) picture.append(svg("line", { class: "front", x1: px(low), y1: py(low), x2: px(high), y2: py(high) }));
  }
  if (drawn.path && drawn.path.length > 1) picture.append(svg("path", { class: "front", d: stairs(drawn.path, px, py) }));
  const named = [];
  drawn.series.forEach((series, i) => {
    const shade = series.colour || colour(i);
    const points = series.points.filter((p) => fits(p.x, drawn.x.log) && fits(p.y, drawn.y.log));
    if (series.line) picture.append(svg("path", { class: "curve", stroke: shade, "stroke-dasharray": again(i) ? "5 3" : null, d: stairs(points, px, py) }));
    for (const point of series.line ? points.slice(-1) : points) {
      named.push({ x: px(number(point.x)), y: py(number(point.y)), point, node: mark(picture, { ...series, square: again(i) }, point, shade, px, py) });
    }
  });
  pointing(picture, named);
  const legend = drawn.series.length > 1 ? el("div", { class: "legend" }, drawn.series.map((series, i) => {
    const shade = series.colour || colour(i);
    return el("span", {}, el("i", { style: `border-color:${shade};background:${series.hollow ? "none" : shade}${again(i) ? ";border-radius:1px" : ""}` }), series.name);
  })) : null;
  return el("figure", { id: drawn.id }, picture, legend, el("figcaption", {}, drawn.caption || ""));
}

function fits(value, log) {
  const x = number(value);
  return Number.isFinite(x) && (!log || x > 0);
}

function frame(picture, drawn, X, Y, px, py) {
  const bottom = BOX.height - BOX.bottom;
  for (const tick of X.ticks) {
    picture.append(svg("line", { class: "grid", x1: px(tick), x2: px(tick), y1: BOX.top, y2: bottom }),
      svg("text", { x: px(tick), y: bottom + 16, "text-anchor": "middle" }, short(tick)));
  }
  for (const tick of Y.ticks) {
    picture.append(svg("line", { class: "grid", x1: BOX.left, x2: BOX.width - BOX.right, y1: py(tick), y2: py(tick) }),
      svg("text", { x: BOX.left - 6, y: py(tick) + 4, "text-anchor": "end" }, short(tick)));
  }
  const middle = (BOX.top + bottom) / 2;
  picture.append(svg("path", { class: "axis", d: `M${BOX.left} ${BOX.top}V${bottom}H${BOX.width - BOX.right}` }),
    svg("text", { x: (BOX.left + BOX.width) / 2, y: BOX.height - 8, "text-anchor": "middle" }, drawn.x.label),
    svg("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})` }, drawn.y.label));
}

function stairs(points, px, py) {
  return points.map((point, i) => `${i ? "H" : "M"}${px(number(point.x))} ${i ? "V" : ""}${py(number(point.y))}`).join("");
}

function mark(picture, series, point, shade, px, py) {
  const [x, y, r] = [px(number(point.x)), py(number(point.y)), series.small ? 3 : 5.5];
  const place = series.square ? { x: x - r, y: y - r, width: 2 * r, height: 2 * r } : { cx: x, cy: y, r };
  const node = svg(series.square ? "rect" : "circle", { class: "point", ...place, stroke: shade, fill: series.hollow ? "none" : shade, "fill-opacity": series.small ? 0.6 : 1, "data-name": point.name,
    tabindex: series.small ? null : 0 }, svg("title", {}, point.name));
  if (point.open) {
    node.addEventListener("click", point.open);
    node.addEventListener("keydown", (event) => { if (event.key === "Enter") point.open(); });
  }
  node.addEventListener("focus", () => { const box = node.getBoundingClientRect(); tip(point.name, box.right, box.top); });
  node.addEventListener("blur", () => tip(null));
  picture.append(node);
  return node;
}

function pointing(picture, named) {
  picture.addEventListener("pointermove", (event) => {
    const box = picture.getBoundingClientRect();
    const scale = BOX.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    let [nearest, least] = [null, NEAR];
    for (const one of named) {
      one.node.classList.remove("near");
      const distance = Math.hypot(one.x - x, one.y - y);
      if (distance < least) [nearest, least] = [one, distance];
    }
    if (nearest) nearest.node.classList.add("near");
    tip(nearest ? nearest.point.name : null, event.clientX, event.clientY);
  });
  picture.addEventListener("pointerleave", () => {
    named.forEach((one) => one.node.classList.remove("near"));
    tip(null);
  });
}

function tip(text, x, y) {
  const box = document.getElementById("tip");
  box.hidden = !text;
  if (!text) return;
  box.textContent = text;
  box.style.left = `${Math.min(x + 14, innerWidth - box.offsetWidth - 8)}px`;
  box.style.top = `${Math.min(y + 14, innerHeight - box.offsetHeight - 8)}px`;
}

// Those that no other beats in both: less of x, more of y.
function paretoFront(points) {
  const sorted = points.filter((p) => fits(p.x) && fits(p.y)).sort((a, b) => number(a.x) - number(b.x) || number(b.y) - number(a.y));
  const front = [];
  for (const point of sorted) if (!front.length || number(point.y) > number(front[front.length - 1].y)) front.push(point);
  return front;
}

// Those that stand side by side by rank and differ by less than the critical difference: pairs of first and last.
function alike(order, difference) {
  const groups = [];
  order.forEach((one, i) => {
    let last = i;
    while (last + 1 < order.length && order[last + 1].mean - one.mean < difference) last += 1;
    if (last > i && !groups.some(([, end]) => end >= last)) groups.push([i, last]);
  });
  return groups;
}

function shortened(name, most) {
  return name.length <= most ? name : `${name.slice(0, most - 13)}…${name.slice(-12)}`;
}

// Mean ranks on a line, best on the left; bars join those that are not shown to differ.
function rankChart(ranks) {
  const order = ranks.methods.map((name, i) => ({ name, mean: ranks.means[i] })).sort((a, b) => a.mean - b.mean);
  const [width, left, right, top] = [760, 255, 505, 60];
  const px = (rank) => left + ((rank - 1) / Math.max(1, order.length - 1)) * (right - left);
  const groups = alike(order, ranks.difference);
  const labels = top + 16 + 7 * groups.length;
  const height = labels + 20 * Math.ceil(order.length / 2) + 10;
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "mean ranks and critical difference" });
  picture.append(svg("path", { class: "axis", d: `M${left} ${top}H${right}` }));
  for (let rank = 1; rank <= order.length; rank += 1) {
    picture.append(svg("path", { class: "axis", d: `M${px(rank)} ${top}v-6` }), svg("text", { x: px(rank), y: top - 10, "text-anchor": "middle" }, String(rank)));
  }
  const end = Math.min(width - left - 180, (ranks.difference / Math.max(1, order.length - 1)) * (right - left));
  picture.append(svg("path", { class: "axis", "stroke-width": 2, d: `M${left} 18v-5v10v-5h${end}v-5v10` }),
    svg("text", { x: left + end + 8, y: 22 }, `critical difference ${ranks.difference.toFixed(2)}`));
  order.forEach((one, i) => {
    const first = i < Math.ceil(order.length / 2);
    const row = first ? i : order.length - 1 - i;
    const y = labels + 20 * row;
    const shade = colour(ranks.methods.indexOf(one.name));
    picture.append(svg("path", { stroke: shade, "stroke-width": 1.5, fill: "none", d: `M${px(one.mean)} ${top}V${y}H${first ? left - 8 : right + 8}` }),
      svg("text", { x: first ? left - 12 : right + 12, y: y + 4, "text-anchor": first ? "end" : "start" },
        `${shortened(one.name, 27)} (${one.mean.toFixed(2)})`, svg("title", {}, one.name)));
  });
  groups.forEach(([first, last], i) => picture.append(svg("path", { class: "alike", d: `M${px(order[first].mean) - 4} ${top + 9 + 7 * i}H${px(order[last].mean) + 4}` })));
  return el("figure", { id: "ranks" }, picture, el("figcaption", {}, `Mean rank of test NMSE over ${ranks.problems} problems; 1 is best. Bars join methods that differ by less than the critical difference.`));
}
