// Screenshots → WebP files for people: one picture, or several on a sheet.

// Of the files: a sheet is looked at as a whole.
const QUALITY = { picture: 0.72, sheet: 0.5 };
const GAP = 16;

/**
 * @param {import('playwright-core').Page} page   any page, for its canvas
 * @param {Buffer[][]} rows   PNG pictures, from left to right
 * @returns {Promise<Buffer>} WebP
 */
export async function sheet(page, rows) {
  const url = await page.evaluate(
    async ({ rows, quality, gap }) => {
      const images = await Promise.all(
        rows.map((row) => Promise.all(row.map(async (png) => createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob())))),
      );
      const sum = (sizes) => sizes.reduce((a, b) => a + b, gap * (sizes.length - 1));
      const heights = images.map((row) => Math.max(...row.map(({ height }) => height)));
      const canvas = new OffscreenCanvas(Math.max(...images.map((row) => sum(row.map(({ width }) => width)))), sum(heights));
      const context = canvas.getContext('2d');
      context.fillStyle = '#808080';
      if (rows.flat().length > 1) context.fillRect(0, 0, canvas.width, canvas.height);
      images.forEach((row, i) =>
        row.reduce((x, image) => {
          context.drawImage(image, x, sum([...heights.slice(0, i), 0]));
          return x + image.width + gap;
        }, 0),
      );
      const blob = await canvas.convertToBlob({ type: 'image/webp', quality });
      return new Promise((resolve) => {
        const reader = new FileReader();
        reader.onload = () => resolve(reader.result);
        reader.readAsDataURL(blob);
      });
    },
    { rows: rows.map((row) => row.map((png) => png.toString('base64'))), quality: rows.flat().length > 1 ? QUALITY.sheet : QUALITY.picture, gap: GAP },
  );
  return Buffer.from(url.split(',')[1], 'base64');
}

/** A PNG picture as WebP. */
export const picture = (page, png) => sheet(page, [[png]]);
