// Net's forward pass, as `networks/models.py` has it in evaluation mode, for one image at a time.

/** A typed array from its bytes in base64. */
function decode(Kind, text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return new Kind(bytes.buffer);
}

/** The network as `payload.py` packs it, in double precision, which is faster here. */
function unpackNet(packed) {
  const unpacked = ([name, value]) => [
    name,
    typeof value === "string" ? Float64Array.from(decode(Float32Array, value)) : value,
  ];
  const layers = Object.entries(packed.layers).map(([name, layer]) => [
    name,
    Object.fromEntries(Object.entries(layer).map(unpacked)),
  ]);
  return { ...packed, layers: Object.fromEntries(layers) };
}

/** Convolution with zeros around: maps[channel][row][column], `outSide` rows and columns of them. */
function convolve(maps, channels, side, layer, outSide) {
  const [outChannels, , kernel] = layer.shape;
  const { weight, bias, padding } = layer;
  const output = new Float32Array(outChannels * outSide * outSide);
  const patch = new Float64Array(channels * kernel * kernel); // what lies below the kernel
  const size = patch.length;
  for (let to = 0; to < outSide * outSide; to++) {
    const top = Math.floor(to / outSide) - padding;
    const left = (to % outSide) - padding;
    for (let c = 0, i = 0; c < channels; c++)
      for (let y = top; y < top + kernel; y++)
        for (let x = left; x < left + kernel; x++)
          patch[i++] = x >= 0 && x < side && y >= 0 && y < side ? maps[(c * side + y) * side + x] : 0;
    for (let o = 0; o < outChannels; o += 4) { // four at a time, as reading the patch costs time
      let [s0, s1, s2, s3] = [bias[o], bias[o + 1], bias[o + 2], bias[o + 3]];
      for (let i = 0, w = o * size; i < size; i++, w++) {
        const value = patch[i];
        s0 += value * weight[w];
        s1 += value * weight[w + size];
        s2 += value * weight[w + 2 * size];
        s3 += value * weight[w + 3 * size];
      }
      for (const [k, sum] of [s0, s1, s2, s3].entries())
        output[(o + k) * outSide * outSide + to] = sum;
    }
  }
  return output;
}

/** ReLU and pooling, by the maximum or the average of windows. */
function rectifyAndPool(maps, channels, side, window, average) {
  const outSide = side / window;
  const output = new Float32Array(channels * outSide * outSide);
  for (let to = 0; to < output.length; to++) {
    const x = to % outSide;
    const y = Math.floor(to / outSide) % outSide;
    const c = Math.floor(to / (outSide * outSide));
    let pooled = 0;
    for (let dy = 0; dy < window; dy++)
      for (let dx = 0; dx < window; dx++) {
        const value = Math.max(0, maps[(c * side + y * window + dy) * side + x * window + dx]);
        pooled = average ? pooled + value / (window * window) : Math.max(pooled, value);
      }
    output[to] = pooled;
  }
  return output;
}

function linear(input, layer) {
  const [outputs, inputs] = layer.shape;
  return Float32Array.from({ length: outputs }, (_, o) => {
    let sum = layer.bias[o];
    for (let i = 0; i < inputs; i++) sum += layer.weight[o * inputs + i] * input[i];
    return sum;
  });
}

/** Grey levels 0..255 to { logits, features, responses of the first layer (channels, 28, 28) }. */
function runNet(net, levels) {
  let side = 28;
  let channels = 1;
  let maps = Float32Array.from(levels, (level) => (level / 255 - net.mean) / net.std);
  let responses;
  for (const [name, window] of [["conv1", 2], ["conv2", 4], ["conv3", 2], ["conv4", 2]]) {
    const layer = net.layers[name];
    const full = side + 2 * layer.padding - layer.shape[2] + 1;
    const used = full - (full % window); // what fills no window is left out
    maps = convolve(maps, channels, side, layer, used);
    channels = layer.shape[0];
    responses ??= maps;
    maps = rectifyAndPool(maps, channels, used, window, name === "conv3");
    side = used / window;
  }
  const { weight, bias, mean, variance, epsilon } = net.layers.norm1;
  const features = linear(maps, net.layers.fc1).map((value, i) =>
    Math.max(0, ((value - mean[i]) / Math.sqrt(variance[i] + epsilon)) * weight[i] + bias[i]),
  );
  return { logits: linear(features, net.layers.fc2), features, responses };
}

/** Probabilities of the classes. */
function softmax(logits) {
  const highest = Math.max(...logits);
  const powers = Array.from(logits, (logit) => Math.exp(logit - highest));
  const sum = powers.reduce((a, b) => a + b);
  return powers.map((power) => power / sum);
}
