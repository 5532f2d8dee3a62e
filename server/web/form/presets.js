/** Good values to begin with: a few for each task type that comes with the server, and whole arrays for the JSON tab.
 * Everything else about a task type comes from its schema. */

import { newUUID } from "../uuid.js";

/** @type {Record<string, Record<string, object>>} by task type and name: parameters */
export const PRESETS = {
  removeBackground: {
    "Cut-out PNG": {},
    "On white": { rgba: [255, 255, 255, 255], outputFormat: "JPG" },
    "On blue": { rgba: [37, 99, 235, 255], outputFormat: "JPG" },
    "Cropped to the subject": { crop: true },
    "Mask only": { returnOnlyMask: true },
    "From a green screen": { despill: true, postProcessMask: true },
  },
  upscale: {
    "Twice as large": { upscaleFactor: 2 },
    "Four times as large": { upscaleFactor: 4 },
    "To 4 megapixels": { targetMegapixels: 4, outputFormat: "WEBP" },
  },
  controlNetPreprocess: {
    "Canny edges": { preProcessorType: "canny" },
    "Fine edges": { preProcessorType: "canny", lowThresholdCanny: 40, highThresholdCanny: 90 },
    "Line art": { preProcessorType: "lineart" },
    "Soft edges": { preProcessorType: "softedge" },
    Scribble: { preProcessorType: "scribble" },
  },
  vectorize: {
    Poster: {},
    "Fine detail": { colorPrecision: 7, layerDifference: 12, filterSpeckle: 2 },
    "Black and white": { colorMode: "binary" },
  },
  imageMasking: {
    Faces: { model: "runware:35@1" },
    "Faces, with room": { model: "runware:35@1", maskPadding: 24, maskBlur: 16 },
    Eyes: { model: "runware:35@9" },
  },
  imageTransform: {
    "Square thumbnail": { operations: [{ operation: "resize", width: 256, height: 256 }], outputFormat: "WEBP" },
    "Framed in white": { operations: [{ operation: "pad", amount: 48, background: "white" }] },
    "Black and white": { operations: [{ operation: "grayscale" }, { operation: "adjust", contrast: 1.2 }] },
    "Vivid and sharp": {
      operations: [{ operation: "adjust", saturation: 1.35, contrast: 1.1 }, { operation: "sharpen" }],
    },
  },
  caption: { Describe: {}, "Answer a question": { prompt: "What is in the foreground?" } },
  promptEnhance: { "Three versions": { prompt: "a lighthouse at dusk", promptVersions: 3 } },
  imageInference: {
    "A picture": { positivePrompt: "a lighthouse at dusk, oil on canvas", steps: 20 },
    "Four to choose from": { positivePrompt: "a red bicycle in front of a white wall", numberResults: 4 },
  },
  modelSearch: { "All models": { limit: 100 }, "Cut-out models": { category: "matting" } },
};

/** Presets that forms begin with, where a task without any parameter could not run.
 * @type {Record<string, string>} by task type */
export const BEGINNINGS = {
  controlNetPreprocess: "Canny edges",
  imageMasking: "Faces",
  imageTransform: "Square thumbnail",
  promptEnhance: "Three versions",
  imageInference: "A picture",
};

/** Whole arrays by name; each is made of the name of a picture on the shelf.
 * @type {Record<string, (picture: string) => object[]>} */
export const ARRAYS = {
  "Cut-out, twice as large, edges: a graph": (picture) => {
    const [upload, cutout] = [newUUID(), newUUID()];
    return [
      { taskType: "imageUpload", taskUUID: upload, image: picture },
      { taskType: "removeBackground", taskUUID: cutout, inputImage: upload },
      { taskType: "upscale", taskUUID: newUUID(), inputImage: cutout, upscaleFactor: 2, outputFormat: "PNG" },
      { taskType: "controlNetPreprocess", taskUUID: newUUID(), inputImage: upload, preProcessorType: "canny" },
    ];
  },
  "A card: cut-out on a colour, with room": (picture) => {
    const cutout = newUUID();
    const steps = [
      { operation: "pad", amount: 64 },
      { operation: "flatten", background: "#fde68a" },
    ];
    return [
      { taskType: "removeBackground", taskUUID: cutout, inputImage: picture, crop: true, returnOutput: false },
      { taskType: "imageTransform", taskUUID: newUUID(), inputImage: cutout, operations: steps, outputFormat: "WEBP" },
    ];
  },
  "A batch of three, and how it went": (picture) => {
    const batchUUID = newUUID();
    return [
      { taskType: "vectorize", taskUUID: newUUID(), inputImage: picture, batchUUID },
      { taskType: "upscale", taskUUID: newUUID(), inputImage: picture, batchUUID },
      {
        taskType: "controlNetPreprocess",
        taskUUID: newUUID(),
        inputImage: picture,
        preProcessorType: "softedge",
        batchUUID,
      },
      { taskType: "batch", taskUUID: newUUID(), of: batchUUID },
    ];
  },
  "Urgent, or not at all": (picture) => [
    {
      taskType: "upscale",
      taskUUID: newUUID(),
      inputImage: picture,
      priority: 10,
      startWithinMs: 5000,
      deadlineMs: 30000,
    },
  ],
};
