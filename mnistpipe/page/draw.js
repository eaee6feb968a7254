// The field to draw in, and what the network makes of the drawing.

const FIELD = 280; // its side in its own pixels
const PEN = 10; // half the width of a stroke
const KEY_STEP = 7; // pixels that an arrow key moves the pen

/** The ink (0..255) of strokes, each a list of points [x, y]: round pens with soft edges. */
function inkOf(strokes, side = FIELD, radius = PEN) {
  const data = new Uint8Array(side * side);
  for (const stroke of strokes)
    stroke.forEach(([x1, y1], i) => {
      const [x0, y0] = stroke[Math.max(0, i - 1)];
      const length = (x1 - x0) ** 2 + (y1 - y0) ** 2;
      const within = (place) => Math.min(Math.max(Math.round(place), 0), side);
      for (let y = within(Math.min(y0, y1) - radius - 1); y < within(Math.max(y0, y1) + radius + 1); y++)
        for (let x = within(Math.min(x0, x1) - radius - 1); x < within(Math.max(x0, x1) + radius + 1); x++) {
          const [px, py] = [x + 0.5 - x0, y + 0.5 - y0];
          const along = length && Math.min(Math.max((px * (x1 - x0) + py * (y1 - y0)) / length, 0), 1);
          const away = Math.hypot(px - along * (x1 - x0), py - along * (y1 - y0));
          const ink = Math.round(255 * Math.min(Math.max(radius + 0.5 - away, 0), 1));
          data[y * side + x] = Math.max(data[y * side + x], ink);
        }
    });
  return { width: side, height: side, data };
}

/** All that the network says of a drawing; null if nothing is drawn. */
function understand(data, drawing) {
  const seen = prepare(drawing);
  if (!seen) return null;
  const { logits, features, responses } = runNet(data.network, seen);
  const probabilities = softmax(logits);
  const order = [...probabilities.keys()].sort((a, b) => probabilities[b] - probabilities[a]);
  const neighbours = nearestImages(data, features, 8);
  const middle = (places) => {
    const sorted = neighbours.map((image) => places[image]).sort((a, b) => a - b);
    return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  };
  return {
    seen,
    probabilities,
    order,
    sure: probabilities[order[0]] >= data.network.sureFrom,
    neighbours,
    place: { x: middle(data.x), y: middle(data.y), neighbours },
    responses,
    kernels: responses.length / 28 ** 2,
  };
}

class Field {
  #canvas;
  #strokes = [];
  #pointer = null; // the one that draws; others do nothing meanwhile
  #pen = null; // { x, y, down }, while keys move it

  /** `onDraw()` is called after each change. */
  constructor(canvas, onDraw) {
    this.#canvas = canvas;
    this.onDraw = onDraw;
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  ink() {
    return inkOf(this.#strokes);
  }

  undo() {
    this.#keep(this.#strokes.slice(0, -1));
  }

  clear() {
    this.#keep([]);
  }

  draw() {
    const { context, width } = fit(this.#canvas);
    if (!width) return;
    context.scale(width / FIELD, width / FIELD);
    context.strokeStyle = colour("--ink");
    context.lineWidth = 2 * PEN;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.#strokes) {
      context.beginPath();
      context.moveTo(...stroke[0]);
      for (const point of stroke) context.lineTo(...point);
      context.stroke();
    }
    if (!this.#strokes.length) {
      context.fillStyle = colour("--muted");
      context.font = "20px system-ui, sans-serif";
      context.textAlign = "center";
      context.fillText("draw here", FIELD / 2, FIELD / 2 + 6);
    }
    if (this.#pen) {
      context.lineWidth = 2;
      context.strokeStyle = colour("--accent");
      context.beginPath();
      context.arc(this.#pen.x, this.#pen.y, this.#pen.down ? PEN - 3 : PEN, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  /** Whoever draws meanwhile, with another finger, starts anew. */
  #keep(strokes) {
    this.#strokes = strokes;
    this.#pointer = this.#pen = null;
    this.#changed();
  }

  #changed() {
    this.draw();
    this.onDraw();
  }

  #listen() {
    const canvas = this.#canvas;
    const point = (event) => {
      const { x, y } = canvas.getBoundingClientRect();
      const place = [event.clientX - x - canvas.clientLeft, event.clientY - y - canvas.clientTop];
      return place.map((pixels) => (pixels * FIELD) / canvas.clientWidth);
    };
    canvas.addEventListener("pointerdown", (event) => {
      if (this.#pointer !== null || event.button !== 0) return;
      this.#pointer = event.pointerId;
      canvas.setPointerCapture(event.pointerId);
      this.#pen = null;
      this.#strokes.push([point(event)]);
      this.#changed();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (event.pointerId !== this.#pointer) return;
      const between = event.getCoalescedEvents?.() ?? [];
      this.#strokes.at(-1).push(...(between.length ? between : [event]).map(point));
      this.#changed();
    });
    canvas.addEventListener("lostpointercapture", (event) => {
      if (event.pointerId === this.#pointer) this.#pointer = null;
    });
    canvas.addEventListener("keydown", (event) => {
      if (!(event.key in ARROWS) && event.key !== " ") return;
      event.preventDefault();
      const pen = (this.#pen ??= { x: FIELD / 2, y: FIELD / 4, down: false });
      if (event.key === " ") {
        pen.down = !pen.down;
        if (pen.down) this.#strokes.push([[pen.x, pen.y]]);
      } else {
        const within = (place) => Math.min(Math.max(place, PEN), FIELD - PEN);
        pen.x = within(pen.x + KEY_STEP * ARROWS[event.key][0]);
        pen.y = within(pen.y + KEY_STEP * ARROWS[event.key][1]);
        if (pen.down) this.#strokes.at(-1).push([pen.x, pen.y]);
      }
      this.#changed();
    });
    canvas.addEventListener("blur", () => {
      this.#pen = null;
      this.draw();
    });
  }
}

/** 28x28 numbers 0..1 as so much of the page's ink, in a canvas's context. */
function paintLevels(context, levels, left, top) {
  const [red, green, blue] = inkColour();
  const pixels = context.createImageData(28, 28);
  levels.forEach((level, i) => pixels.data.set([red, green, blue, 255 * level], 4 * i));
  context.putImageData(pixels, left, top);
}

/** The page's ink as red, green and blue. */
function inkColour() {
  const context = make("canvas").getContext("2d");
  context.fillStyle = colour("--ink");
  return context.fillStyle.match(/[0-9a-f]{2}/g).map((part) => parseInt(part, 16));
}

/** The first layer's responses in rows, each on the common scale. */
function paintResponses(canvas, { responses, kernels }) {
  const columns = 8;
  canvas.width = columns * 30 - 2;
  canvas.height = Math.ceil(kernels / columns) * 30 - 2;
  const context = canvas.getContext("2d");
  const highest = responses.reduce((most, value) => Math.max(most, value), 1e-9);
  for (let kernel = 0; kernel < kernels; kernel++) {
    const levels = responses
      .subarray(kernel * 784, (kernel + 1) * 784)
      .map((value) => Math.sqrt(Math.max(0, value) / highest));
    paintLevels(context, levels, 30 * (kernel % columns), 30 * Math.floor(kernel / columns));
  }
}
