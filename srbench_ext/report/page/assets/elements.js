// Elements, numbers and the theme.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

// Values come as JSON: null is unknown, "Infinity" and "-Infinity" are what JSON cannot write.
function number(value) {
  return value === null || value === undefined || value === "" ? NaN : Number(value);
}

function written(value, spec) {
  if (value === null || value === undefined || value === "") return "–";
  if (spec === "s") return String(value);
  const x = Number(value);
  if (Number.isNaN(x)) return "–";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (spec === "p") return x < 0.0001 ? "<0.0001" : x.toFixed(4);
  if (spec === "d") return String(Math.round(x));
  const digits = /^\.(\d+)f$/.exec(spec);
  if (digits) return x.toFixed(Number(digits[1]));
  return short(x);
}

function short(x) {
  if (x === 0 || (Math.abs(x) >= 0.001 && Math.abs(x) < 1e5)) return String(Number(x.toPrecision(4)));
  return Number(x.toPrecision(3)).toExponential().replace("e+", "e");
}

// Text with names in backticks, as in Markdown.
function marked(text) {
  return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}

function section(title, ...children) {
  return el("section", {}, el("h3", {}, title), ...children);
}

function facts(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("dl", {}, shown.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value instanceof Node ? value : told(value))]));
}

function told(value) {
  if (value !== null && typeof value === "object") {
    return Object.entries(value).map(([name, one]) => `${name} ${told(one)}`).join(", ") || "none";
  }
  return String(value);
}

// The markup is the report's own MathML; names in it are escaped where it is made.
function formula(shown) {
  if (!shown) return el("p", {}, "No formula.");
  const box = el("div", { class: "formula" });
  if (shown.math) box.insertAdjacentHTML("afterbegin", shown.math.replace("<math>", '<math display="block">'));
  box.append(el("code", {}, shown.text));
  return box;
}

const theme = {
  kept() {
    try { return localStorage.getItem("srbench-ext-theme"); } catch { return null; } // storage may be forbidden
  },
  now() {
    const chosen = document.documentElement.dataset.theme;
    return chosen || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  },
  set(name) {
    if (name) document.documentElement.dataset.theme = name;
    const button = document.getElementById("theme");
    button.textContent = theme.now() === "dark" ? "☀ light" : "☾ dark";
  },
  start() {
    theme.set(theme.kept());
    document.getElementById("theme").addEventListener("click", () => {
      const next = theme.now() === "dark" ? "light" : "dark";
      theme.set(next);
      try { localStorage.setItem("srbench-ext-theme", next); } catch { /* then it lasts as long as the page */ }
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme.set(null));
  },
};
