// The map of the test images: what is drawn, and how one moves in it.

const REACH = 24; // pixels from the pointer to an image that it points at
const MOST_ZOOM = 40;
const LONGEST = 14; // letters of a class's name on the map
// Right and down, that a key points.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

class ImageMap {
  #canvas;
  #base = document.createElement("canvas"); // all but what belongs to one image
  #view = { x: 0.5, y: 0.5, zoom: 1 };
  #width = 0; // of the canvas, in CSS's pixels
  #height = 0;
  #visible = () => true;
  #drawing = null; // { x, y, neighbours }
  #shown = null; // the image that is pointed at, or the chosen one

  /** `onShow(image, chosen)` is called when another image is pointed at or chosen. */
  constructor(canvas, data, painter, onShow) {
    Object.assign(this, { data, painter, onShow, chosen: null });
    this.#canvas = canvas;
    this.labels = classPlaces(data);
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Shows only the images of which `visible(image)` is true. */
  filter(visible) {
    this.#visible = visible;
    this.draw();
  }

  choose(image) {
    this.chosen = image;
    if (image !== null) {
      const [x, y] = this.#place(image);
      if (x < 0 || y < 0 || x > this.#width || y > this.#height)
        this.#look(this.data.x[image] / 65535, this.data.y[image] / 65535, this.#view.zoom);
    }
    this.#show(image, true);
  }

  /** A drawing's place among its neighbours; null for none. */
  place(drawing) {
    this.#drawing = drawing;
    this.#drawOver();
  }

  /** What is at this place of the canvas, or the chosen image, stays there; 0 shows all. */
  zoom(factor, x, y) {
    if (x === undefined) [x, y] = this.#place(this.chosen);
    const was = this.#view;
    const zoom = Math.min(Math.max(factor * was.zoom, 1), MOST_ZOOM);
    const shift = (1 / was.zoom - 1 / zoom) / plotSize(this.#width, this.#height);
    const [right, down] = [x - this.#width / 2, y - this.#height / 2];
    this.#look(was.x + right * shift, was.y + down * shift, zoom);
  }

  /** All of it anew: the colours, the size or the images have changed. */
  draw() {
    if (this.#canvas.clientWidth) this.#draw();
  }

  #look(x, y, zoom) {
    const within = (place) => Math.min(Math.max(place, 0.5 / zoom), 1 - 0.5 / zoom);
    this.#view = { x: within(x), y: within(y), zoom };
    this.#canvas.classList.toggle("zoomed", zoom > 1);
    this.#draw();
  }

  #project(x, y) {
    const size = plotSize(this.#width, this.#height) * this.#view.zoom;
    return [
      this.#width / 2 + (x / 65535 - this.#view.x) * size,
      this.#height / 2 + (y / 65535 - this.#view.y) * size,
    ];
  }

  #place(image) {
    if (image === null) return [this.#width / 2, this.#height / 2];
    return this.#project(this.data.x[image], this.data.y[image]);
  }

  #draw() {
    const { context, width, height } = fit(this.#canvas);
    [this.#width, this.#height] = [width, height];
    drawImages(context, this.data, this.painter, {
      width,
      height,
      zoom: this.#view.zoom,
      project: (x, y) => this.#project(x, y),
      visible: this.#visible,
      labels: this.#view.zoom < 3 ? this.labels : [],
    });
    this.#base.width = this.#canvas.width;
    this.#base.height = this.#canvas.height;
    this.#base.getContext("2d").drawImage(this.#canvas, 0, 0);
    this.#drawOver();
  }

  #drawOver() {
    const context = this.#canvas.getContext("2d");
    context.clearRect(0, 0, this.#width, this.#height);
    context.drawImage(this.#base, 0, 0, this.#width, this.#height);
    const place = (image) => this.#place(image);
    if (this.#shown !== null) {
      const middle = place(this.#shown);
      drawLines(context, middle, neighboursOf(this.data, this.#shown).map(place));
      this.#drawThumb(context, this.#shown, middle);
    }
    if (this.#drawing) {
      const middle = this.#project(this.#drawing.x, this.#drawing.y);
      drawLines(context, middle, this.#drawing.neighbours.map(place));
      drawLabel(context, "your drawing", middle[0], middle[1] - 18, colour("--accent"));
    }
  }

  #drawThumb(context, image, [x, y]) {
    const side = 64;
    const left = Math.min(Math.max(x - side / 2, 4), this.#width - side - 4);
    const top = y > side + 20 ? y - side - 14 : y + 14;
    context.fillStyle = colour("--paper");
    context.strokeStyle = colour("--ink");
    context.lineWidth = 2;
    context.beginPath();
    context.roundRect(left, top, side, side, 6);
    context.fill();
    context.stroke();
    this.painter.paint(context, image, left + 4, top + 4, side - 8);
  }

  #show(image, chosen) {
    this.#shown = image;
    this.#drawOver();
    this.onShow(image, chosen);
  }

  #listen() {
    const canvas = this.#canvas;
    let pressed = null; // where the pointer went down, and whether it has moved the map since
    canvas.addEventListener("pointerdown", (event) => {
      if (!event.isPrimary || event.button !== 0) return;
      pressed = { x: event.offsetX, y: event.offsetY, view: { ...this.#view }, moved: false };
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!event.isPrimary) return;
      if (pressed && event.buttons && this.#view.zoom > 1) {
        const size = plotSize(this.#width, this.#height) * this.#view.zoom;
        const [dx, dy] = [event.offsetX - pressed.x, event.offsetY - pressed.y];
        pressed.moved ||= Math.hypot(dx, dy) > 4;
        if (pressed.moved) {
          canvas.setPointerCapture(event.pointerId);
          const { x, y, zoom } = pressed.view;
          this.#look(x - dx / size, y - dy / size, zoom);
          return;
        }
      }
      const image = this.#nearest(event.offsetX, event.offsetY);
      if (image !== null && image !== this.#shown) this.#show(image, false);
    });
    canvas.addEventListener("pointerup", (event) => {
      const image = this.#nearest(event.offsetX, event.offsetY);
      if (pressed && !pressed.moved && image !== null) this.choose(image);
      pressed = null;
    });
    canvas.addEventListener("pointercancel", () => (pressed = null));
    canvas.addEventListener("pointerleave", () => {
      if (this.#shown !== this.chosen) this.#show(this.chosen, false);
    });
    canvas.addEventListener("wheel", (event) => {
      if (!event.ctrlKey && !event.metaKey) return; // without them it scrolls the page
      event.preventDefault();
      this.zoom(Math.exp(-event.deltaY / 100), event.offsetX, event.offsetY);
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => this.zoom(2, event.offsetX, event.offsetY));
    canvas.addEventListener("keydown", (event) => {
      const zooms = { "+": 2, "=": 2, "-": 0.5, 0: 0 };
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key in ARROWS) this.#step(...ARROWS[event.key]);
      else if (event.key in zooms) this.zoom(zooms[event.key]);
      else return;
      event.preventDefault();
    });
  }

  #nearest(x, y) {
    let [best, least] = [null, REACH ** 2];
    for (let image = 0; image < this.data.count; image++) {
      const [px, py] = this.#place(image);
      const distance = (px - x) ** 2 + (py - y) ** 2;
      if (distance < least && this.#visible(image)) [best, least] = [image, distance];
    }
    return best;
  }

  /** To the nearest image that lies more that way than to its sides. */
  #step(right, down) {
    const from = this.chosen ?? 0;
    let [best, least] = [null, Infinity];
    for (let image = 0; image < this.data.count; image++) {
      const dx = this.data.x[image] - this.data.x[from];
      const dy = this.data.y[image] - this.data.y[from];
      const [along, aside] = [dx * right + dy * down, Math.abs(dx * down) + Math.abs(dy * right)];
      const distance = along + 2 * aside;
      if (along > 0 && along >= aside && distance < least && this.#visible(image))
        [best, least] = [image, distance];
    }
    if (best !== null) this.choose(best);
  }
}

/** Each class's name at the median of its images. */
function classPlaces(data) {
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  return data.classes.flatMap((name, number) => {
    const images = [...data.labels.keys()].filter((image) => data.labels[image] === number);
    if (!images.length) return [];
    const [x, y] = [data.x, data.y].map((places) => median(images.map((image) => places[image])));
    const letters = [...name];
    const ends = [letters.slice(0, LONGEST / 2), letters.slice(1 - LONGEST / 2)];
    const short = letters.length > LONGEST ? ends.map((end) => end.join("")).join("…") : name;
    return [{ name: short, number, x, y }];
  });
}
