// Puts the map and the field to draw in into the page, and ties them to each other.

async function explore() {
  const data = unpack(JSON.parse(document.getElementById("map-data").textContent));
  const sprite = new Image();
  sprite.src = data.sprite;
  await sprite.decode();
  const painter = new Painter(sprite);
  const map = showMap(document.getElementById("map"), data, painter);
  const field = document.getElementById("draw");
  const drawing = field && showDrawing(field, data, painter, map);
  const redraw = () => {
    painter.tint();
    map.draw();
    map.choose(map.chosen); // whose pictures stand beside it
    drawing?.draw();
  };
  for (const query of ["(prefers-color-scheme: dark)", "print"])
    matchMedia(query).addEventListener("change", redraw);
  let pixelRatio = devicePixelRatio;
  addEventListener("resize", () => { // a zoom of the page may leave a canvas its size
    if (pixelRatio !== devicePixelRatio) redraw();
    pixelRatio = devicePixelRatio;
  });
}

/** The map with its filters, the card of one image, and the confusion matrix. */
function showMap(root, data, painter) {
  const filters = root.querySelector(".map-filters");
  const sides = root.querySelector(".map-sides");
  const canvas = sides.querySelector(".map-plane canvas");
  const part = (name) => sides.querySelector(`[data-part=${name}]`);
  const { actual, predicted, mistakes, number } = filters.elements;
  for (const hidden of root.querySelectorAll("[hidden]")) hidden.hidden = false;

  const map = new ImageMap(canvas, data, painter, (image, chosen) => {
    sides.querySelector(".map-card").hidden = image === null;
    if (image === null) return;
    const [label, said] = [data.labels[image], data.predicted[image]];
    const probabilities = probabilitiesOf(data, image);
    const words = [
      `Image ${data.numbers[image]}`,
      `labelled ${data.classes[label]}`,
      `taken for ${data.classes[said]} (${percent(probabilities[said])})`,
    ];
    painter.show(sides.querySelector(".card-image"), image);
    sides.querySelector(".card-image").setAttribute("aria-label", words[0]);
    ["number", "actual", "predicted"].forEach((name, i) => (part(name).textContent = words[i]));
    part("predicted").className = label === said ? "right" : "wrong";
    if (chosen) part("spoken").textContent = words.join(", ");
    showBars(part("bars"), data, probabilities);
    const choose = (neighbour) => map.choose(neighbour);
    showThumbs(part("neighbours"), data, painter, neighboursOf(data, image), choose);
  });

  const isShown = (image) =>
    (actual.value === "" || data.labels[image] === Number(actual.value)) &&
    (predicted.value === "" || data.predicted[image] === Number(predicted.value)) &&
    (!mistakes.checked || data.labels[image] !== data.predicted[image]);
  const buttons = matrixButtons(root.querySelector(".matrix"), (cell) => {
    const again = cell.getAttribute("aria-pressed") === "true";
    actual.value = again ? "" : (cell.dataset.actual ?? "");
    predicted.value = again ? "" : (cell.dataset.predicted ?? "");
    mistakes.checked = false;
    filter();
    canvas.scrollIntoView({ block: "nearest" });
  });
  const filter = () => {
    const visible = [...data.labels.keys()].filter(isShown);
    const [count, all] = [visible.length, data.count].map((n) => n.toLocaleString("en"));
    part("shown").textContent = count === all ? `${all} images.` : `${count} of ${all} images.`;
    for (const button of buttons) {
      const pressed =
        (button.dataset.actual ?? "") === actual.value &&
        (button.dataset.predicted ?? "") === predicted.value;
      button.setAttribute("aria-pressed", pressed);
    }
    map.filter(isShown);
    if (map.chosen === null || !isShown(map.chosen)) map.choose(mostConfident(data, visible));
  };
  filters.addEventListener("change", (event) => {
    if (event.target !== number) return filter();
    const image = data.numbers.indexOf(Number(number.value));
    const known = number.value === "" || image >= 0;
    number.setCustomValidity(known ? "" : "The map has no image of this number.");
    if (!number.reportValidity() || number.value === "") return;
    if (!isShown(image)) {
      actual.value = predicted.value = "";
      mistakes.checked = false;
    }
    map.choose(image);
    filter();
  });
  filters.addEventListener("submit", (event) => event.preventDefault());
  filters.addEventListener("reset", () => setTimeout(filter)); // after the fields are empty
  for (const button of sides.querySelectorAll(".map-zoom button"))
    button.addEventListener("click", () => map.zoom(Number(button.value)));
  filter();
  return map;
}

/** The image that is most confidently mistaken; where all are right, the least confident one. */
function mostConfident(data, images) {
  const confidence = (image) =>
    data.probabilities[image * data.classes.length + data.predicted[image]];
  const rank = (image) =>
    data.labels[image] === data.predicted[image] ? -confidence(image) : 201 + confidence(image);
  return images.reduce((best, image) => (best === null || rank(image) > rank(best) ? image : best), null);
}

/** Makes the matrix's cells and its classes' names buttons: one stop of the Tab key for all. */
function matrixButtons(table, press) {
  const buttons = [...table.querySelectorAll("[data-actual], [data-predicted]")].map((cell) => {
    const button = make("button", { type: "button" }, cell.textContent);
    Object.assign(button.dataset, cell.dataset);
    button.addEventListener("click", () => press(button));
    cell.replaceChildren(button);
    return button;
  });
  const stopAt = (stop) => {
    for (const button of buttons) button.tabIndex = button === stop ? 0 : -1;
  };
  stopAt(buttons[0]);
  table.addEventListener("focusin", (event) => stopAt(event.target));
  table.addEventListener("keydown", (event) => {
    if (!(event.key in ARROWS)) return;
    event.preventDefault();
    nextButton(buttons, event.target, ...ARROWS[event.key])?.focus();
  });
  return buttons;
}

/** The nearest one in a cell of the same row or column, that way. */
function nextButton(buttons, from, right, down) {
  const [column, row] = placeInTable(from);
  let [next, least] = [null, Infinity];
  for (const button of buttons) {
    const [x, y] = placeInTable(button);
    const along = (x - column) * right + (y - row) * down;
    const aside = (x - column) * down + (y - row) * right;
    if (aside === 0 && along > 0 && along < least) [next, least] = [button, along];
  }
  return next;
}

function placeInTable(button) {
  const cell = button.parentElement;
  return [cell.cellIndex, cell.parentElement.rowIndex];
}

/** The field to draw in and what the network says. */
function showDrawing(root, data, painter, map) {
  const widget = root.querySelector(".draw");
  const find = (selector) => widget.querySelector(selector);
  const part = (name) => find(`[data-part=${name}]`);
  widget.hidden = false;
  const place = find(".draw-place");
  const ground = make("canvas"); // the small map without the drawing
  let understood = null;

  const showPlace = () => {
    const context = place.getContext("2d");
    const { clientWidth: width, clientHeight: height } = place;
    context.clearRect(0, 0, width, height);
    context.drawImage(ground, 0, 0, width, height);
    if (!understood) return;
    const [x, y] = project(understood.place.x, understood.place.y);
    for (const [radius, style] of [[9, "--paper"], [7, "--ink"], [4, "--paper"]]) {
      context.fillStyle = colour(style);
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fill();
    }
  };
  const project = (x, y) => {
    const side = plotSize(place.clientWidth, place.clientHeight);
    return [16 + (x / 65535) * side, 16 + (y / 65535) * side];
  };
  const show = () => {
    const names = data.classes;
    part("answer").textContent = understood ? names[understood.order[0]] : "Draw something";
    part("doubt").textContent = understood ? doubt(understood, names) : "";
    find(".draw-answer").classList.toggle("sure", Boolean(understood?.sure));
    showBars(part("bars"), data, understood?.probabilities ?? names.map(() => 0));
    find(".draw-below").hidden = !understood;
    const seen = find(".draw-seen");
    seen.width = seen.height = 28; // empty
    if (understood) {
      const levels = Float32Array.from(understood.seen, (level) => level / 255);
      paintLevels(seen.getContext("2d"), levels, 0, 0);
      paintResponses(find(".draw-responses"), understood);
      const choose = (image) => map.choose(image);
      showThumbs(part("neighbours"), data, painter, understood.neighbours, choose);
    }
    showPlace();
    map.place(understood?.place ?? null);
  };
  const draw = () => {
    const { context, width, height } = fit(place);
    const view = { width, height, zoom: 1, project, visible: () => true, labels: map.labels };
    drawImages(context, data, painter, view);
    [ground.width, ground.height] = [place.width, place.height];
    ground.getContext("2d").drawImage(place, 0, 0);
    field.draw();
    show();
  };
  let waiting = null;
  const field = new Field(find(".draw-field"), () => {
    waiting ??= requestAnimationFrame(() => {
      waiting = null;
      understood = understand(data, field.ink());
      show();
    });
  });
  find("[name=undo]").addEventListener("click", () => field.undo());
  find("[name=clear]").addEventListener("click", () => field.clear());
  draw();
  return { draw };
}

function doubt({ order, probabilities, sure }, names) {
  const [first, second] = order;
  const told = percent(probabilities[first]);
  return sure ? told : `${told} – not sure: or ${names[second]} (${percent(probabilities[second])})`;
}

const waits = document.querySelectorAll(".waits");
explore().then(
  () => { for (const words of waits) words.hidden = true; },
  (error) => {
    for (const words of waits) words.textContent = `This cannot be shown here: ${error.message}`;
    throw error;
  },
);
