//! PNG pictures to fields and back.

use crate::CliError;
use image::{ColorType, DynamicImage, ImageFormat, ImageReader};
use langevin::Format;
use langevin::verify::Tensor;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// A picture with 8 or 16 bits per channel, its samples as numbers of 16 bits.
#[derive(Debug)]
pub(crate) struct Picture {
    path: PathBuf,
    color: ColorType,
    size: [u32; 2],
    /// Pixel by pixel, the alpha last.
    samples: Vec<u16>,
}

impl Picture {
    /// Reads a PNG. A palette becomes RGB.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let bytes = std::fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
        let failed = |source| CliError::NoPicture { path: path.to_owned(), source };
        let reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
        let image = reader.decode().map_err(failed)?;
        let color = image.color();
        let size = [image.width(), image.height()];
        // 8 bits become 16 by a factor of 257, which dividing by the largest value takes out again.
        let samples = match (color.has_color(), color.has_alpha()) {
            (false, false) => image.into_luma16().into_raw(),
            (false, true) => image.into_luma_alpha16().into_raw(),
            (true, false) => image.into_rgb16().into_raw(),
            (true, true) => image.into_rgba16().into_raw(),
        };
        Ok(Self { path: path.to_owned(), color, size, samples })
    }

    /// Rows and columns.
    pub(crate) fn spatial(&self) -> [usize; 2] {
        [self.size[1] as usize, self.size[0] as usize]
    }

    /// Channels that spread: all but alpha.
    pub(crate) fn channels(&self) -> usize {
        if self.color.has_color() { 3 } else { 1 }
    }

    /// What it is, in words.
    pub(crate) fn kind(&self) -> String {
        let color = if self.color.has_color() { "RGB" } else { "gray" };
        let alpha = if self.color.has_alpha() { " with alpha" } else { "" };
        format!("{color}{alpha} of {} bits", self.bits())
    }

    /// The channels as fields `[channels, height, width]` of values from 0 to 1.
    pub(crate) fn field(&self) -> Result<Tensor, CliError> {
        let [height, width] = self.spatial();
        let channels = self.channels();
        let planes = (0..channels).flat_map(|channel| self.samples.iter().skip(channel).step_by(self.step()));
        let values: Vec<f32> = planes.map(|&sample| f32::from(sample) / f32::from(u16::MAX)).collect();
        Ok(Tensor::from_f32(Format::F32, &[channels, height, width], &values)?)
    }

    /// The PNG of the same kind with other channels, rounded to its bits; alpha stays.
    pub(crate) fn with_field(&self, field: &Tensor) -> Result<Vec<u8>, CliError> {
        let values = field.to_f32();
        let pixels = self.samples.len() / self.step();
        let mut samples = self.samples.clone();
        for (i, value) in values.iter().enumerate() {
            samples[i % pixels * self.step() + i / pixels] = self.sample(*value);
        }
        let [width, height] = self.size;
        // Every buffer has as many samples as the picture that was read.
        let image = match (self.color.has_color(), self.color.has_alpha()) {
            (false, false) => {
                image::ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLuma16)
            }
            (false, true) => {
                image::ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageLumaA16)
            }
            (true, false) => {
                image::ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgb16)
            }
            (true, true) => {
                image::ImageBuffer::from_raw(width, height, samples).map(DynamicImage::ImageRgba16)
            }
        };
        let image = self.in_own_bits(image.unwrap_or_default());
        let mut png = Cursor::new(Vec::new());
        let failed = |source| CliError::NoPicture { path: self.path.clone(), source };
        image.write_to(&mut png, ImageFormat::Png).map_err(failed)?;
        Ok(png.into_inner())
    }

    fn in_own_bits(&self, image: DynamicImage) -> DynamicImage {
        match self.color {
            ColorType::L8 => image.into_luma8().into(),
            ColorType::La8 => image.into_luma_alpha8().into(),
            ColorType::Rgb8 => image.into_rgb8().into(),
            ColorType::Rgba8 => image.into_rgba8().into(),
            _ => image,
        }
    }

    /// The sample nearest to a value, in the steps of the picture's own bits.
    fn sample(&self, value: f32) -> u16 {
        let unit = value.clamp(0.0, 1.0);
        if self.bits() == 8 {
            // Exact multiples of 257 survive the way back to 8 bits.
            (unit * 255.0).round_ties_even() as u16 * 257
        } else {
            (unit * 65535.0).round_ties_even() as u16
        }
    }

    fn bits(&self) -> u16 {
        self.color.bytes_per_pixel() as u16 * 8 / u16::from(self.color.channel_count())
    }

    /// Samples of a pixel.
    fn step(&self) -> usize {
        usize::from(self.color.channel_count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(name: &str, image: DynamicImage) -> PathBuf {
        let path = std::env::temp_dir().join(format!("langevin-picture-{}-{name}.png", std::process::id()));
        image.save_with_format(&path, ImageFormat::Png).unwrap();
        path
    }

    fn kinds() -> Vec<DynamicImage> {
        let sample = |x: u32, y: u32, channel: u32| (x * 7919 + y * 104_729 + channel * 1299) as u16;
        let gray = image::ImageBuffer::from_fn(5, 3, |x, y| image::Luma([sample(x, y, 0)]));
        let rgba =
            image::ImageBuffer::from_fn(4, 6, |x, y| image::Rgba([0, 1, 2, 3].map(|c| sample(x, y, c))));
        let (gray, rgba) = (DynamicImage::ImageLuma16(gray), DynamicImage::ImageRgba16(rgba));
        vec![
            gray.to_luma8().into(),
            gray.clone(),
            rgba.to_luma_alpha8().into(),
            rgba.to_luma_alpha16().into(),
            rgba.to_rgb8().into(),
            rgba.to_rgb16().into(),
            rgba.to_rgba8().into(),
            rgba,
        ]
    }

    #[test]
    fn every_kind_of_picture_comes_back_as_it_was() {
        for (i, image) in kinds().into_iter().enumerate() {
            let path = written(&format!("kind-{i}"), image.clone());
            let picture = Picture::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();
            let field = picture.field().unwrap();
            assert_eq!(field.shape(), [picture.channels(), image.height() as usize, image.width() as usize]);
            let again = image::load_from_memory(&picture.with_field(&field).unwrap()).unwrap();
            assert_eq!(again, image, "{}", picture.kind());
        }
    }

    #[test]
    fn channels_are_planes_and_alpha_stays() {
        let image = image::RgbaImage::from_fn(2, 1, |x, _| image::Rgba([255, 0, 51 * x as u8, 17]));
        let path = written("planes", image.into());
        let picture = Picture::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(picture.kind(), "RGB with alpha of 8 bits");
        assert_eq!(picture.field().unwrap().to_f32(), [1.0, 1.0, 0.0, 0.0, 0.0, 0.2]);
        let other = Tensor::from_f32(Format::F32, &[3, 1, 2], &[0.4, -1.0, 2.0, 0.0, 0.0, 0.501]).unwrap();
        let png = image::load_from_memory(&picture.with_field(&other).unwrap()).unwrap();
        assert_eq!(png.into_rgba8().into_raw(), [102, 255, 0, 17, 0, 0, 128, 17]);
    }

    #[test]
    fn what_is_no_picture_is_named() {
        let path = std::env::temp_dir().join(format!("langevin-picture-{}-text.png", std::process::id()));
        let absent = Picture::read(&path).unwrap_err().to_string();
        assert!(absent.starts_with("cannot read") && absent.contains("text.png"), "{absent}");
        for bytes in [&b"hello"[..], b"", b"\x89PNG\r\n\x1a\n\0\0"] {
            std::fs::write(&path, bytes).unwrap();
            let error = Picture::read(&path).unwrap_err().to_string();
            assert!(error.contains("text.png is no picture that can be used"), "{error}");
        }
        std::fs::remove_file(&path).unwrap();
    }
}
