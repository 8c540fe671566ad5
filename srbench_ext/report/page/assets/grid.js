// Tables that are sorted by a click on a heading and filtered by words and by choice.

const MOST_ROWS = 500;

// columns: [{key, head, spec}]; rows: [[value, ...]]
// options: id, kinds (a class for each row), choose (keys that get a list to choose from), open(index of the row),
// most (rows shown before one asks for more)
function grid(columns, rows, options = {}) {
  const state = { sort: null, down: false, words: "", chosen: {}, most: options.most || MOST_ROWS };
  const texts = rows.map((row) => row.map((value, i) => written(value, columns[i].spec)));
  const searched = texts.map((row) => row.join(" ").toLowerCase());
  const body = el("tbody");
  const count = el("span", { class: "count" });
  const heads = columns.map((column, i) =>
    el("th", { scope: "col", class: column.spec === "s" ? null : "number", "data-key": column.key },
      el("button", { type: "button", onclick: () => { sortBy(i); draw(); } }, column.head)));

  function sortBy(i) {
    // numbers go down first: the best stands on top
    state.down = state.sort === i ? !state.down : columns[i].spec !== "s";
    state.sort = i;
    heads.forEach((head, j) => {
      if (j === i) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
  }

  function wanted() {
    const words = state.words.toLowerCase().split(/\s+/).filter(Boolean);
    const chosen = Object.entries(state.chosen).filter(([, value]) => value !== "");
    return rows.map((_, r) => r).filter((r) =>
      words.every((word) => searched[r].includes(word)) && chosen.every(([i, value]) => texts[r][i] === value));
  }

  function compare(a, b) {
    const i = state.sort;
    const direction = state.down ? -1 : 1;
    if (columns[i].spec === "s") return direction * texts[a][i].localeCompare(texts[b][i], "en", { numeric: true }) || a - b;
    const [x, y] = [number(rows[a][i]), number(rows[b][i])];
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y) || a - b; // unknown comes last
    return (x === y ? 0 : direction * (x < y ? -1 : 1)) || a - b;
  }

  function draw() {
    const found = wanted();
    if (state.sort !== null) found.sort(compare);
    const shown = found.slice(0, state.most);
    body.replaceChildren(...shown.map(line));
    if (found.length > shown.length) {
      const more = el("button", { type: "button", onclick: () => { state.most *= 4; draw(); } }, `${found.length - shown.length} more`);
      body.append(el("tr", {}, el("td", { colspan: columns.length }, more)));
    }
    count.textContent = found.length === rows.length ? `${rows.length} rows` : `${found.length} of ${rows.length} rows`;
  }

  function line(r) {
    const row = el("tr", { class: [options.kinds ? options.kinds[r] : "", options.open ? "opens" : ""].join(" ").trim() || null },
      texts[r].map((text, i) => el("td", { class: columns[i].spec === "s" ? "text" : "number", title: text.length > 60 ? text : null }, text)));
    if (options.open) {
      row.tabIndex = 0;
      row.addEventListener("click", () => options.open(r));
      row.addEventListener("keydown", (event) => { if (event.key === "Enter") options.open(r); });
    }
    return row;
  }

  function chooser(key) {
    const i = columns.findIndex((column) => column.key === key);
    const values = i < 0 ? [] : [...new Set(texts.map((row) => row[i]))].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
    if (values.length < 2) return null;
    const pick = el("select", { "data-key": key, onchange: (event) => { state.chosen[i] = event.target.value; draw(); } },
      el("option", { value: "" }, "all"), values.map((value) => el("option", { value }, value)));
    return el("label", {}, `${columns[i].head} `, pick);
  }

  const search = el("input", { type: "search", placeholder: "filter by words", "aria-label": "Filter by words",
    oninput: (event) => { state.words = event.target.value; state.most = options.most || MOST_ROWS; draw(); } });
  draw();
  return el("div", { class: "grid", id: options.id },
    el("div", { class: "tools" }, rows.length > 3 ? search : null, (options.choose || []).map(chooser), count),
    el("div", { class: "wide" }, el("table", {}, el("thead", {}, el("tr", {}, heads)), body)));
}
