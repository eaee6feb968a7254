// A drawing as one of MNIST's images, to the byte as `images/prepare.py` makes it. What that does to
// find ink on paper has nothing to do here: a drawing's ink is known.
// Pictures are { width, height, data }, row by row; a mask's data are 0 and 1.

const SIDE = 28; // of MNIST's images, in pixels
const BOX = 20; // the longer side of the digit's box in them
const THINNEST = 0.1; // stroke widths that are left alone, as shares of the box's longer side:
const THICKEST = 0.24; // `images/strokes.py`
const [LARGE, NEAR, SMALL] = [0.25, 0.25, 0.12]; // `images/rules.py`

/** A drawing's ink (0..255, light strokes on 0) as 28x28 grey levels; null if there is none. */
function prepare(drawing) {
  const digit = mainParts(mapPicture(drawing, (level) => level > 0.4 * 255));
  if (!digit) return null;
  const near = dilate(digit, 2);
  const ink = mapPicture(drawing, (level, i) => (near.data[i] ? Math.fround(level / 255) : 0));
  const box = boxOf(mapPicture(drawing, (level, i) => near.data[i] && level * 3 > 0.4 * 255));
  const strokes = normaliseStrokes(crop(ink, box));
  const scale = BOX / Math.max(strokes.width, strokes.height);
  const width = Math.max(1, roundHalfEven(strokes.width * scale));
  const height = Math.max(1, roundHalfEven(strokes.height * scale));
  return centred(transpose(shrinkRows(transpose(shrinkRows(strokes, width)), height)));
}

function mapPicture({ width, height, data }, change) {
  const changed = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) changed[i] = change(data[i], i);
  return { width, height, data: changed };
}

function transpose({ width, height, data }) {
  const turned = new Float32Array(data.length);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) turned[x * height + y] = data[y * width + x];
  return { width: height, height: width, data: turned };
}

function crop({ width, data }, { left, top, right, bottom }) {
  const rows = [];
  for (let y = top; y < bottom; y++) rows.push(data.subarray(y * width + left, y * width + right));
  const cut = new Float32Array((right - left) * (bottom - top));
  rows.forEach((row, y) => cut.set(row, y * (right - left)));
  return { width: right - left, height: bottom - top, data: cut };
}

function padded({ width, height, data }, margin) {
  const wide = width + 2 * margin;
  const laid = new Float32Array(wide * (height + 2 * margin));
  for (let y = 0; y < height; y++)
    laid.set(data.subarray(y * width, (y + 1) * width), (y + margin) * wide + margin);
  return { width: wide, height: height + 2 * margin, data: laid };
}

/** Around all that is not 0; ends are exclusive. */
function boxOf({ width, height, data }) {
  let [left, top, right, bottom] = [width, height, 0, 0];
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (data[y * width + x]) {
        [left, top] = [Math.min(left, x), Math.min(top, y)];
        [right, bottom] = [Math.max(right, x + 1), Math.max(bottom, y + 1)];
      }
  return { left, top, right, bottom };
}

/** The mask grown by a square of `2 * reach + 1` pixels. */
function dilate(mask, reach) {
  const alongRows = ({ width, height, data }) => {
    const grown = new Float32Array(data.length);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++)
        if (data[y * width + x])
          grown.fill(1, y * width + Math.max(0, x - reach), y * width + Math.min(width, x + reach + 1));
    return { width, height, data: grown };
  };
  return transpose(alongRows(transpose(alongRows(mask))));
}

/** The largest part, and what is near and not much smaller: no specks. Null if nothing is there. */
function mainParts(ink) {
  const { width, height } = ink;
  const gap = Math.max(3, Math.floor(Math.max(width, height) / 64)) | 1; // in a broken stroke
  const { labels, count } = labelParts(dilate(ink, (gap - 1) / 2));
  const boxes = [];
  for (let part = 1; part <= count; part++)
    boxes.push(boxOf(mapPicture(ink, (inked, i) => inked && labels[i] === part)));
  if (!count) return null;
  const extents = boxes.map((box) => Math.max(box.right - box.left, box.bottom - box.top));
  const main = extents.indexOf(Math.max(...extents));
  const kept = boxes.map((box, part) => {
    const away = Math.max(
      Math.max(boxes[main].top - box.bottom, box.top - boxes[main].bottom),
      Math.max(boxes[main].left - box.right, box.left - boxes[main].right),
    );
    const [share, distance] = [extents[part] / extents[main], away / extents[main]];
    return (share > LARGE && distance < NEAR) || (share > SMALL && distance < 0);
  });
  return mapPicture(ink, (inked, i) => inked && kept[labels[i] - 1]);
}

/** Numbers the connected parts of a mask from 1, neighbours across corners included. */
function labelParts({ width, height, data }) {
  const labels = new Int32Array(data.length);
  let count = 0;
  for (let start = 0; start < data.length; start++) {
    if (!data[start] || labels[start]) continue;
    labels[start] = ++count;
    for (const stack = [start]; stack.length; ) {
      const place = stack.pop();
      const [px, py] = [place % width, Math.floor(place / width)];
      for (let y = Math.max(0, py - 1); y <= Math.min(height - 1, py + 1); y++)
        for (let x = Math.max(0, px - 1); x <= Math.min(width - 1, px + 1); x++) {
          const next = y * width + x;
          if (data[next] && !labels[next]) {
            labels[next] = count;
            stack.push(next);
          }
        }
    }
  }
  return { labels, count };
}

/** Each pixel's distance to the nearest one that is 0. */
function distances({ width, height, data }) {
  const vertical = new Float64Array(data.length); // within each column
  for (let x = 0; x < width; x++) {
    let steps = Infinity;
    for (let y = 0; y < height; y++)
      vertical[y * width + x] = steps = data[y * width + x] ? steps + 1 : 0;
    steps = Infinity;
    for (let y = height - 1; y >= 0; y--) {
      steps = data[y * width + x] ? steps + 1 : 0;
      vertical[y * width + x] = Math.min(vertical[y * width + x], steps);
    }
  }
  return vertical.map((own, i) => {
    const x = i % width;
    let least = own * own;
    for (let step = 1; step * step < least && step < width; step++) {
      if (x >= step) least = Math.min(least, step * step + vertical[i - step] ** 2);
      if (x + step < width) least = Math.min(least, step * step + vertical[i + step] ** 2);
    }
    return Math.sqrt(least);
  });
}

/** Strokes that are too thin or too thick become as wide as MNIST's can be. */
function normaliseStrokes(ink) {
  const longest = Math.max(ink.width, ink.height);
  const full = padded(mapPicture(ink, (level) => level > 0.5), 1);
  const inside = distances(full);
  const area = full.data.reduce((sum, inked) => sum + inked, 0);
  const width = Math.max(1, 4 * (inside.reduce((sum, distance) => sum + distance, 0) / area - 0.5));
  if (THINNEST * longest <= width && width <= THICKEST * longest) return ink;
  let wanted;
  if (width < THINNEST * longest) {
    const grow = (THINNEST * longest - width) / 2 / (1 - THINNEST); // the box grows with it
    const room = padded(full, Math.ceil(grow));
    const outside = distances(mapPicture(room, (inked) => !inked));
    wanted = mapPicture(room, (_, i) => outside[i] <= grow);
  } else {
    const shrink = (width - THICKEST * longest) / 2;
    wanted = mapPicture(full, (_, i) => inside[i] > shrink);
  }
  return crop(wanted, boxOf(wanted));
}

/** Each row resampled to `outWidth` pixels, each the mean of its share of the old ones, as Pillow's. */
function shrinkRows(picture, outWidth) {
  const { width, height, data } = picture;
  if (outWidth === width) return picture;
  const scale = width / outWidth;
  const support = 0.5 * Math.max(scale, 1);
  const shrunk = new Float32Array(outWidth * height);
  for (let x = 0; x < outWidth; x++) {
    const centre = (x + 0.5) * scale;
    const from = Math.max(0, Math.trunc(centre - support + 0.5));
    const to = Math.min(width, Math.trunc(centre + support + 0.5));
    const factors = [];
    for (let i = from; i < to; i++) {
      const distance = (i - centre + 0.5) * (1 / Math.max(scale, 1));
      factors.push(-0.5 < distance && distance <= 0.5 ? 1 : 0);
    }
    const factor = 1 / factors.reduce((sum, each) => sum + each, 0);
    for (let y = 0; y < height; y++)
      shrunk[y * outWidth + x] = factors.reduce(
        (sum, each, i) => sum + data[y * width + from + i] * (each * factor),
        0,
      );
  }
  return { width: outWidth, height, data: shrunk };
}

/** Grey levels with their centre of mass on pixel 14 of both axes, if the ink stays within. */
function centred({ width, height, data }) {
  const levels = data.map((ink) => roundHalfEven(Math.fround(255 * Math.min(ink, 1))));
  let [mass, across, down] = [0, 0, 0];
  levels.forEach((level, i) => {
    mass += level;
    across += level * (i % width);
    down += level * Math.floor(i / width);
  });
  const corner = (moment, length) =>
    Math.min(Math.max(roundHalfEven(SIDE / 2 - moment / mass), 0), SIDE - length);
  const [left, top] = [corner(across, width), corner(down, height)];
  const image = new Uint8Array(SIDE * SIDE);
  levels.forEach((level, i) => {
    image[(top + Math.floor(i / width)) * SIDE + left + (i % width)] = level;
  });
  return image;
}

/** As Python and NumPy round. */
function roundHalfEven(number) {
  const below = Math.floor(number);
  const rest = number - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}
