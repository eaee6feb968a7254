// What is painted on canvases: images from the sprite, points, names, lines.

const MOST_HIDDEN = 0.2; // of the map, by the classes' names

/** Paints images from the sprite, which has their grey levels as opacity. */
class Painter {
  #tinted = document.createElement("canvas");
  #columns;

  constructor(sprite) {
    this.sprite = sprite;
    this.#columns = sprite.naturalWidth / 28;
    this.tint();
  }

  /** To be called when the page's colours change. */
  tint() {
    this.#tinted.width = this.sprite.naturalWidth;
    this.#tinted.height = this.sprite.naturalHeight;
    const context = this.#tinted.getContext("2d");
    context.drawImage(this.sprite, 0, 0);
    for (const [where, name] of [["source-in", "--lightest"], ["destination-over", "--darkest"]]) {
      context.globalCompositeOperation = where;
      context.fillStyle = colour(name);
      context.fillRect(0, 0, this.#tinted.width, this.#tinted.height);
    }
  }

  paint(context, image, x, y, side) {
    const [column, row] = [image % this.#columns, Math.floor(image / this.#columns)];
    context.drawImage(this.#tinted, 28 * column, 28 * row, 28, 28, x, y, side, side);
  }

  /** Over all of a canvas that is shown enlarged. */
  show(canvas, image) {
    canvas.width = canvas.height = 28;
    this.paint(canvas.getContext("2d"), image, 0, 0, 28);
  }
}

/** One of the page's colours, as it is now. */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** The classes' colours, by number; there are ten of them. */
function classColours(classes) {
  return classes.map((_, number) => colour(`--class-${number % 10}`));
}

/** A canvas's context that is as fine as the screen, and its size in CSS's pixels. */
function fit(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  canvas.width = Math.round(width * devicePixelRatio);
  canvas.height = Math.round(height * devicePixelRatio);
  const context = canvas.getContext("2d");
  context.scale(devicePixelRatio, devicePixelRatio);
  return { context, width, height };
}

/** The side of the square that holds all images, with a margin around. */
function plotSize(width, height) {
  return Math.min(width, height) - 32;
}

/** Points, or the images themselves where there is room for them; mistakes have a ring. */
function drawImages(context, data, painter, { width, height, zoom, project, visible, labels }) {
  const room = (plotSize(width, height) * zoom) / Math.sqrt(data.count);
  const side = Math.min(0.5 * room, 28);
  const radius = Math.min(Math.max(0.3 * room, 1), 5);
  const images = [...data.labels.keys()];
  const [paper, ink, line] = ["--paper", "--ink", "--line"].map(colour);
  const colours = classColours(data.classes);
  const colourOf = (image) => colours[data.labels[image]];
  const within = (x, y) => x > -28 && y > -28 && x < width + 28 && y < height + 28;
  const shades = images.map((image) => (visible(image) ? colourOf(image) : line));
  for (const shade of new Set([line, ...colours])) { // what is filtered out lies below
    context.fillStyle = shade;
    context.globalAlpha = shade === line ? 0.6 : 0.8;
    context.beginPath();
    for (const image of images) {
      if (shades[image] !== shade) continue;
      const [x, y] = project(data.x[image], data.y[image]);
      if (!within(x, y)) continue;
      context.moveTo(x + radius, y);
      context.arc(x, y, radius, 0, 2 * Math.PI);
    }
    context.fill();
  }
  context.globalAlpha = 1;
  for (const image of images) {
    const [x, y] = project(data.x[image], data.y[image]);
    if (!visible(image) || !within(x, y)) continue;
    const wrong = data.labels[image] !== data.predicted[image];
    if (side >= 14) {
      context.fillStyle = paper;
      context.strokeStyle = colourOf(image);
      context.lineWidth = wrong ? 3 : 1.5;
      context.fillRect(x - side / 2, y - side / 2, side, side);
      context.strokeRect(x - side / 2, y - side / 2, side, side);
      painter.paint(context, image, x - side / 2, y - side / 2, side);
    } else if (wrong && room > 2) { // in a smaller map they would hide the rest
      context.strokeStyle = ink;
      context.lineWidth = 1.25;
      context.beginPath();
      context.arc(x, y, radius + 1.5, 0, 2 * Math.PI);
      context.stroke();
    }
  }
  const size = Math.min(Math.max(width / 40, 10), 15);
  for (const { name, number, x, y } of fitting(context, labels, project, size, width, height))
    drawLabel(context, name, x, y, colours[number], size);
}

/** Those of the labels that lie beside each other on the map, whole, and together hide little of it. */
function fitting(context, labels, project, size, width, height) {
  const placed = [];
  let hidden = 0;
  for (const label of labels) {
    const [middle, y] = project(label.x, label.y);
    if (middle < 0 || middle > width) continue;
    const half = halfWidth(context, label.name, size);
    const x = Math.max(Math.min(middle, width - half - 2), half + 2);
    const meets = (other) => Math.abs(x - other.x) < half + other.half && Math.abs(y - other.y) < 1.6 * size;
    if (placed.some(meets)) continue;
    hidden += 3.2 * half * size;
    if (hidden > MOST_HIDDEN * width * height) break;
    placed.push({ ...label, x, y, half });
  }
  return placed;
}

function halfWidth(context, text, size) {
  context.font = `600 ${size}px system-ui, sans-serif`;
  return context.measureText(text).width / 2 + size / 2;
}

function drawLabel(context, text, x, y, edge, size = 12) {
  const half = halfWidth(context, text, size);
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillStyle = colour("--paper");
  context.strokeStyle = edge;
  context.lineWidth = size / 6;
  context.beginPath();
  context.roundRect(x - half, y - 0.8 * size, 2 * half, 1.6 * size, size / 2);
  context.fill();
  context.stroke();
  context.fillStyle = colour("--ink");
  context.fillText(text, x, y + 1);
}

function drawLines(context, [x, y], ends) {
  context.lineCap = "round";
  for (const [style, width] of [["--paper", 4], ["--ink", 1.5]]) {
    context.strokeStyle = colour(style);
    context.lineWidth = width;
    context.beginPath();
    for (const [endX, endY] of ends) {
      context.moveTo(x, y);
      context.lineTo(endX, endY);
    }
    context.stroke();
    context.beginPath();
    for (const [endX, endY] of ends) {
      context.moveTo(endX + 4, endY);
      context.arc(endX, endY, 4, 0, 2 * Math.PI);
    }
    context.moveTo(x + 6, y);
    context.arc(x, y, 6, 0, 2 * Math.PI);
    context.stroke();
  }
}
