// The test images and what is known of each, as `payload.py` packs them.

/** Typed arrays, a row for each image. */
function unpack(packed) {
  const places = decode(Uint16Array, packed.places);
  return {
    classes: packed.classes,
    sprite: packed.sprite,
    network: packed.network && unpackNet(packed.network),
    numbers: decode(Uint32Array, packed.numbers),
    labels: decode(Uint8Array, packed.labels),
    predicted: decode(Uint8Array, packed.predicted),
    probabilities: decode(Uint8Array, packed.probabilities), // in half per cents
    x: places.filter((_, i) => i % 2 === 0),
    y: places.filter((_, i) => i % 2 === 1).map((y) => 65535 - y), // downwards, as on a screen
    neighbours: decode(Uint16Array, packed.neighbours),
    features: decode(Uint8Array, packed.features),
    scale: decode(Float32Array, packed.scale),
    count: places.length / 2,
  };
}

function probabilitiesOf(data, image) {
  const n = data.classes.length;
  return Array.from(data.probabilities.subarray(image * n, (image + 1) * n), (half) => half / 200);
}

function neighboursOf(data, image) {
  const k = data.neighbours.length / data.count;
  return Array.from(data.neighbours.subarray(image * k, (image + 1) * k));
}

/** The images whose features are nearest to these, the nearest first. */
function nearestImages(data, features, k) {
  const width = data.scale.length;
  const found = []; // [squared distance, image], sorted
  for (let image = 0, i = 0; image < data.count; image++) {
    let distance = 0;
    for (let f = 0; f < width; f++) distance += (data.features[i++] * data.scale[f] - features[f]) ** 2;
    if (found.length < k || distance < found[k - 1][0]) {
      found.push([distance, image]);
      found.sort((a, b) => a[0] - b[0]).splice(k);
    }
  }
  return found.map(([, image]) => image);
}

function percent(probability) {
  if (probability >= 0.995) return ">99%";
  return `${Math.round(100 * probability)}%`;
}

/** A bar for each class, or for the ten most probable ones. */
function showBars(element, data, probabilities) {
  const order = probabilities.map((_, number) => number);
  if (order.length > 10)
    order.sort((a, b) => probabilities[b] - probabilities[a]).splice(10);
  const highest = Math.max(...probabilities);
  element.replaceChildren(
    ...order.map((number) => {
      const row = make("div", { role: "listitem" });
      row.classList.toggle("first", highest > 0 && probabilities[number] === highest);
      const bar = make("span", { class: "bar" });
      bar.style.setProperty("--share", probabilities[number]);
      const told = probabilities[number] < 0.005 ? "" : percent(probabilities[number]);
      const name = data.classes[number];
      row.append(make("span", { title: name }, name), bar, make("span", {}, told));
      return row;
    }),
  );
}

/** A button with a picture for each image. */
function showThumbs(element, data, painter, images, choose) {
  const held = [...element.children].indexOf(document.activeElement); // a choice made by keys
  element.replaceChildren(
    ...images.map((image) => {
      const name = data.classes[data.labels[image]];
      const button = make("button", { type: "button", title: `image ${data.numbers[image]}` });
      button.setAttribute("aria-label", `Image ${data.numbers[image]}, ${name}`);
      const canvas = make("canvas");
      painter.show(canvas, image);
      button.append(canvas, make("span", {}, name));
      button.addEventListener("click", () => choose(image));
      return button;
    }),
  );
  element.children[held]?.focus();
}

function make(tag, attributes = {}, text = "") {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.textContent = text;
  return element;
}
