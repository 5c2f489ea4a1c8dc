"use strict";
(() => {
const root = document.documentElement, all = (css, of = document) => [...of.querySelectorAll(css)];
const one = (css, of = document) => of.querySelector(css);
one("#tools").hidden = false;

/* Figures, written as the report writes them. */
const scaled = (value, step, units) => {
  let index = 0;
  while (value >= step - .5 && index < units.length - 1) { value /= step; index += 1; }
  return (value < 9.95 && index > 0 ? value.toFixed(1) : value.toFixed(0)) + units[index];
};
const ns = v => v == null ? "-" : scaled(v, 1000, ["ns", "µs", "ms", "s"]);
const count = v => v == null ? "-" : v < 1e9 ? Math.round(v).toLocaleString("en") : scaled(v, 1000, ["", "k", "M", "G", "T"]);
const rate = v => v == null ? "-" : v < 9.95 ? v.toFixed(1) : count(v);
const share = v => v == null ? "-" : v <= 0 ? "0%" : v < .001 ? "<0.1%" : (v * 100).toFixed(v < .1 ? 1 : 0) + "%";
const two = n => String(Math.floor(n)).padStart(2, "0");
const seconds = s => s < 120 ? s.toFixed(1) + " s"
  : s < 7200 ? `${Math.floor(s / 60)} min ${two(s % 60)} s` : `${Math.floor(s / 3600)} h ${two(s / 60 % 60)} min`;

/* Packed values: two letters each, logarithmic. */
const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const packed = (text, index) => {
  const code = DIGITS.indexOf(text[2 * index]) * 64 + DIGITS.indexOf(text[2 * index + 1]);
  return !(code > 0) ? null : code === 1 ? 0 : 2 ** ((code - 2) / 96 - 10);
};

/* Time: the ends of columns in seconds, one list per measurement. */
const axes = all(".axis").map(({dataset}) => {
  let end = 0;
  return [0, ...dataset.ms.split(" ").filter(Boolean).map(ms => (end += ms / 1000))];
});
const read = one("#read")?.dataset;
const colours = list => new Map((list || "").split(" ").map((hex, level) => [parseInt(hex.slice(1), 16), level]));
const counts = colours(read?.counts), cells = colours(read?.cells), differences = colours(read?.differences), names = (read?.names || "").split("|");

/* The place of a pixel's colour in its palette. */
const pixels = new WeakMap();
const pixel = (image, x, y) => {
  if (!pixels.has(image)) {
    const canvas = Object.assign(document.createElement("canvas"), {width: image.naturalWidth, height: image.naturalHeight});
    const context = canvas.getContext("2d", {willReadFrequently: true});
    context.drawImage(image, 0, 0);
    pixels.set(image, context.getImageData(0, 0, canvas.width, canvas.height));
  }
  const {data, width} = pixels.get(image), at = 4 * (y * width + x);
  return data[at + 3] === 0 ? 0 : data[at] << 16 | data[at + 1] << 8 | data[at + 2];
};

/* What a picture says about a column, and a height from 0 at the top to 1. */
const GIB = 2 ** 30;
const bytes = b => b % GIB === 0 ? b / GIB + " GiB" : (b / GIB).toFixed(2) + " GiB";
const says = {
  rate: (data, c) => "allocations/s  " + rate(packed(data.rate, c)),
  use: (data, c) => "in use  " + share(packed(data.use, c)),
  percentiles: (data, c) => ["max", "p99", "p50"].map(name => name.padEnd(5) + ns(packed(data[name], c))).join("\n"),
  heat: (data, c, y, image) => {
    const rows = image.naturalHeight, row = Math.min(rows - 1, Math.floor(y * rows));
    const from = 2 ** (+data.first + rows - 1 - row), level = counts.get(pixel(image, c, row)) || 0;
    const calls = level ? Math.round(2 ** ((level - 1) / 8)) : 0;
    return `${ns(from)} to ${ns(2 * from)}\n${calls > 12 ? "≈ " : ""}${count(calls)} calls`;
  },
  map: (data, c, y, image) => {
    const rows = image.naturalHeight, row = Math.min(rows - 1, Math.floor(y * rows)), size = 4 * GIB / rows;
    const colour = pixel(image, c, row);
    return `from ${bytes((rows - 1 - row) * size)}\n${names[colour ? cells.get(colour) ?? 0 : 0]}`;
  },
  strip: (data, c, y, image) => {
    const colour = pixel(image, c, 0);
    return `from ${bytes(c * 4 * GIB / image.naturalWidth)}\n${names[colour ? cells.get(colour) ?? 0 : 0]}`;
  },
  events: (data, c, y, image) => {
    const rows = image.naturalHeight, row = Math.min(rows - 1, Math.floor(y * rows));
    const level = (differences.get(pixel(image, c, row)) || 125) - 125, told = level ? Math.round(2 ** ((level - 1) / 4)) : 0;
    return `${data.kinds.split("|")[row]}  ${told > 6 ? "≈ " : ""}${count(told)}`;
  },
  difference: (data, c, y, image) => {
    const rows = image.naturalHeight, row = Math.min(rows - 1, Math.floor(y * rows));
    const from = 2 ** (+data.first + rows - 1 - row), level = differences.get(pixel(image, c, row)) || 0;
    const points = level ? (2 * (level - 1) / 249 - 1) ** 3 * 100 : 0;
    return `${ns(from)} to ${ns(2 * from)}\n${points > 0 ? "+" : ""}${points.toFixed(1)} points`;
  },
};

const tip = document.body.appendChild(Object.assign(document.createElement("div"), {id: "tip", hidden: true}));
const view = {zoom: 1, from: 0};
const columnsOf = (plot, axis) => {
  const image = one(".layer>img", plot);
  return (plot.dataset.plot === "strip" || plot.dataset.plot === "difference") && image ? image.naturalWidth : axis ? axis.length - 1 : 0;
};
const clear = () => { tip.hidden = true; all(".cross").forEach(cross => cross.remove()); };
const show = (plot, column, y, left, top) => {
  clear();
  const kind = plot.dataset.plot, own = kind === "strip" || kind === "difference";
  const axis = axes[+plot.closest("[data-axis]")?.dataset.axis || 0], columns = columnsOf(plot, axis);
  if (!(column >= 0 && column < columns)) return;
  const crossed = own ? [plot] : all(`[data-axis="${plot.closest("[data-axis]").dataset.axis}"] .plot:not([data-plot=strip],[data-plot=difference])`);
  for (const other of crossed) {
    const cross = document.createElement("div");
    cross.className = "cross";
    cross.style.cssText = `left:${100 * column / columns}%;width:${100 / columns}%`;
    one(".area .layer", other).append(cross);
  }
  const when = own ? "" : `${seconds(axis[column])} to ${seconds(axis[column + 1])}\n`;
  tip.textContent = when + says[kind](plot.dataset, column, y, one(".layer>img", plot));
  tip.hidden = false;
  const {offsetWidth: wide, offsetHeight: high} = tip;
  tip.style.left = Math.max(4, Math.min(left + 14, innerWidth - wide - 8)) + "px";
  tip.style.top = Math.max(4, top + 18 + high > innerHeight ? top - high - 12 : top + 18) + "px";
};

/* The second at a part of an axis: columns are equally wide, also if they did not last equally long. */
const timeAt = (axis, part) => {
  const place = part * (axis.length - 1), column = Math.min(Math.floor(place), axis.length - 2);
  return axis[column] + (place - column) * (axis[column + 1] - axis[column]);
};
const zoom = (from, end) => {
  const wide = Math.max(end - from, 1e-4);
  Object.assign(view, {zoom: 1 / wide, from});
  root.style.setProperty("--zoom", view.zoom);
  root.style.setProperty("--from", from);
  const whole = wide > .9999, [axis] = axes;
  const at = part => seconds(timeAt(axis, part));
  all(".plot:not([data-plot=strip],[data-plot=difference])").forEach(tick);
  one("#all").hidden = whole;
  one("#range").textContent = whole ? "" : axes.length > 1 ? `${share(from)} to ${share(end)} of each` : `${at(from)} to ${at(end)}`;
};

/* Ticks of the part that is shown; those of the whole are the page's own. */
const STEPS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 604800];
const own = new WeakMap();
const tick = plot => {
  const layer = one(".x .layer", plot), axis = axes[+plot.closest("[data-axis]")?.dataset.axis || 0];
  if (!own.has(layer)) own.set(layer, layer.innerHTML);
  if (view.zoom < 1.0001) { layer.innerHTML = own.get(layer); return; }
  const from = timeAt(axis, view.from), end = timeAt(axis, view.from + 1 / view.zoom);
  const most = plot.clientWidth / 130, step = STEPS.find(step => (end - from) / step <= most) || end - from;
  layer.textContent = "";
  for (let second = Math.ceil(from / step) * step; second <= end; second += step) {
    const column = axis.findIndex(ends => ends > second) - 1;
    if (column < 0) break;
    const place = (column + (second - axis[column]) / (axis[column + 1] - axis[column])) / (axis.length - 1);
    const span = layer.appendChild(document.createElement("span"));
    span.style.left = 100 * place + "%";
    span.textContent = second < 120 ? second + " s" : seconds(second);
  }
};

for (const plot of all(".plot")) {
  const area = one(".area", plot), fixed = ["strip", "difference"].includes(plot.dataset.plot);
  const fraction = event => {
    const box = area.getBoundingClientRect();
    return [Math.min(.999999, Math.max(0, (event.clientX - box.left) / box.width)), Math.min(.999999, Math.max(0, (event.clientY - box.top) / box.height))];
  };
  const place = x => fixed ? x : view.from + x / view.zoom;
  let start = null, band = null, keyed = 0;
  area.tabIndex = 0;
  area.addEventListener("pointermove", event => {
    const [x, y] = fraction(event), axis = axes[+plot.closest("[data-axis]")?.dataset.axis || 0];
    if (band) {
      const from = Math.min(start, x), wide = Math.abs(x - start);
      band.style.cssText = `left:${100 * from}%;width:${100 * wide}%`;
    }
    keyed = Math.floor(place(x) * columnsOf(plot, axis));
    show(plot, keyed, y, event.clientX, event.clientY);
  });
  area.addEventListener("pointerleave", () => { if (!band) clear(); });
  area.addEventListener("pointerdown", event => {
    if (fixed || event.button !== 0 || event.pointerType === "touch") return;
    event.preventDefault();
    area.setPointerCapture(event.pointerId);
    [start] = fraction(event);
    band = area.appendChild(Object.assign(document.createElement("div"), {className: "band"}));
  });
  const drop = event => {
    if (!band) return;
    const [x] = fraction(event), from = Math.min(start, x), end = Math.max(start, x);
    band.remove();
    band = null;
    if (event.type === "pointerup" && end - from > .01) zoom(place(from), place(end));
  };
  area.addEventListener("pointerup", drop);
  area.addEventListener("pointercancel", drop);
  area.addEventListener("dblclick", () => zoom(0, 1));
  area.addEventListener("keydown", event => {
    const axis = axes[+plot.closest("[data-axis]")?.dataset.axis || 0], columns = columnsOf(plot, axis);
    const by = {ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -columns, End: columns}[event.key];
    if (by == null) return;
    event.preventDefault();
    keyed = Math.max(0, Math.min(columns - 1, keyed + by));
    const box = area.getBoundingClientRect();
    const x = fixed ? (keyed + .5) / columns : ((keyed + .5) / columns - view.from) * view.zoom;
    show(plot, keyed, .5, box.left + x * box.width, box.top + box.height / 2);
  });
  area.addEventListener("blur", clear);
}
one("#all").addEventListener("click", () => zoom(0, 1));
addEventListener("keydown", ({key}) => { if (key === "Escape") { clear(); zoom(0, 1); } });
addEventListener("scroll", clear, {passive: true});

/* Devices by name, sorting, light and dark. */
one("#filter").addEventListener("input", event => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = text => words.every(word => text.toLowerCase().includes(word));
  all("#list tbody tr").forEach(row => { row.hidden = !fits(row.textContent); });
  all("section.device").forEach(device => {
    device.hidden = !fits(one("h2", device).textContent + " " + (one(".identity", device)?.textContent || ""));
  });
});
all("#list thead th").forEach((head, column) => {
  head.tabIndex = 0;
  const sort = () => {
    const down = head.getAttribute("aria-sort") !== "descending";
    all("#list thead th").forEach(other => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const figure = head.classList.contains("n");
    const key = row => { const cell = row.cells[column]; return figure ? cell.dataset.v ? +cell.dataset.v : -1 : cell.textContent; };
    const rows = all("#list tbody tr").sort((a, b) => {
      const [x, y] = [key(a), key(b)];
      return figure ? y - x : x.localeCompare(y, "en", {numeric: true});
    });
    one("#list tbody").append(...(down ? rows : rows.reverse()));
  };
  head.addEventListener("click", sort);
  head.addEventListener("keydown", event => { if (event.key === "Enter") sort(); });
});
one("#theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
addEventListener("beforeprint", () => zoom(0, 1));
root.classList.add("js");
})();
