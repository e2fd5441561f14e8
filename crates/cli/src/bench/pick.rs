//! Parts of tensors.

use langevin::verify::Tensor;

/// The positions wanted along one axis.
pub(super) type Axis = Vec<usize>;

/// Every position.
pub(super) fn all(extent: usize) -> Axis {
    (0..extent).collect()
}

/// At most `count` positions, the first and the last among them.
pub(super) fn spread_out(extent: usize, count: usize) -> Axis {
    if extent <= count {
        return all(extent);
    }
    (0..count).map(|i| i * (extent - 1) / (count - 1).max(1)).collect()
}

/// The elements at the product of the positions; nothing where the axes are not the tensor's.
pub(super) fn pick(tensor: &Tensor, axes: &[Axis]) -> Option<Tensor> {
    let shape = tensor.shape();
    let fits = |(axis, &extent): (&Axis, &usize)| axis.iter().all(|&position| position < extent);
    if axes.len() != shape.len() || !axes.iter().zip(shape).all(fits) {
        return None;
    }
    let mut starts = vec![0];
    for (axis, &extent) in axes.iter().zip(shape) {
        starts = starts.iter().flat_map(|start| axis.iter().map(move |i| start * extent + i)).collect();
    }
    let width = tensor.dtype().bytes();
    let data = starts
        .iter()
        .flat_map(|start| &tensor.bytes()[start * width..(start + 1) * width])
        .copied()
        .collect();
    let picked: Vec<usize> = axes.iter().map(Vec::len).collect();
    Tensor::new(tensor.dtype(), &picked, data).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::Format;

    #[test]
    fn rows_and_columns_are_picked() {
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        let tensor = Tensor::from_f32(Format::BF16, &[3, 4], &values).unwrap();
        let picked = pick(&tensor, &[vec![0, 2], vec![1, 3]]).unwrap();
        assert_eq!((picked.shape(), picked.to_f32()), (&[2, 2][..], vec![1.0, 3.0, 9.0, 11.0]));
        assert!(pick(&tensor, &[vec![3], vec![0]]).is_none());
        assert!(pick(&tensor, &[vec![0]]).is_none());
    }

    #[test]
    fn positions_reach_both_ends() {
        assert_eq!(spread_out(100, 4), [0, 33, 66, 99]);
        assert_eq!(spread_out(3, 4), [0, 1, 2]);
    }
}
