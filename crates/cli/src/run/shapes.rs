//! Shapes of files to shapes of descriptors.

use langevin::DescError;
use langevin::verify::{Tensor, Tensors};

/// A tensor's shape, split into any number of leading axes and the last `N`.
pub(crate) fn split<const N: usize>(
    op: &'static str,
    tensors: &Tensors,
    name: &str,
    expected: &str,
) -> Result<(Vec<usize>, [usize; N]), DescError> {
    let shape = shape(tensors, name);
    match shape.split_last_chunk::<N>() {
        Some((leading, last)) => Ok((leading.to_vec(), *last)),
        None => Err(wrong(op, tensors, name, expected)),
    }
}

/// The shape of a tensor, empty where it is absent.
pub(crate) fn shape<'t>(tensors: &'t Tensors, name: &str) -> &'t [usize] {
    tensors.get(name).map_or(&[], Tensor::shape)
}

/// A shape that breaks a rule.
pub(crate) fn wrong(op: &'static str, tensors: &Tensors, name: &str, expected: impl ToString) -> DescError {
    let got = shape(tensors, name).to_vec();
    DescError::Shape { op, tensor: name.to_owned(), expected: expected.to_string(), got }
}

/// Gives a tensor another shape of as many elements; without the tensor nothing happens.
pub(crate) fn reshape(
    op: &'static str,
    tensors: &mut Tensors,
    name: &'static str,
    to: &[usize],
) -> Result<(), DescError> {
    let Some(tensor) = tensors.get(name).cloned() else { return Ok(()) };
    let reshaped = tensor.reshape(to).ok_or_else(|| wrong(op, tensors, name, format!("{to:?}")))?;
    tensors.insert(name, reshaped);
    Ok(())
}

/// `leading` followed by `last`.
pub(crate) fn join(leading: &[usize], last: &[usize]) -> Vec<usize> {
    [leading, last].concat()
}

/// A shape that an optional tensor may have in a file, what it means, and the shape that the descriptor gives it.
#[derive(Clone, Debug)]
pub(crate) struct Choice<T> {
    in_file: Vec<usize>,
    meaning: T,
    in_desc: Vec<usize>,
}

impl<T: Clone> Choice<T> {
    pub(crate) fn new(in_file: Vec<usize>, meaning: T, in_desc: &[usize]) -> Self {
        Self { in_file, meaning, in_desc: in_desc.to_vec() }
    }

    /// What it means.
    pub(crate) fn meaning(&self) -> &T {
        &self.meaning
    }

    /// One value: shape `[]` or `[1]`.
    pub(crate) fn scalar(meaning: T) -> Vec<Self> {
        vec![Self::new(vec![], meaning.clone(), &[]), Self::new(vec![1], meaning, &[])]
    }
}

/// What an optional tensor's shape means, `None` where it is absent; the tensor gets the descriptor's shape.
pub(crate) fn choose<T>(
    op: &'static str,
    tensors: &mut Tensors,
    name: &'static str,
    choices: Vec<Choice<T>>,
) -> Result<Option<T>, DescError> {
    let Some(shape) = tensors.get(name).map(|tensor| tensor.shape().to_vec()) else { return Ok(None) };
    let mut expected: Vec<String> = Vec::new();
    for accepted in choices.iter().map(|choice| format!("{:?}", choice.in_file)) {
        if !expected.contains(&accepted) {
            expected.push(accepted);
        }
    }
    let Some(choice) = choices.into_iter().find(|choice| choice.in_file == shape) else {
        return Err(wrong(op, tensors, name, expected.join(" or ")));
    };
    reshape(op, tensors, name, &choice.in_desc)?;
    Ok(Some(choice.meaning))
}

/// The index of an element under another shape of as many elements.
pub(crate) fn index_in(index: &[usize], shape: &[usize], other: &[usize]) -> Vec<usize> {
    let mut position = index.iter().zip(shape).fold(0, |position, (i, extent)| position * extent + i);
    let mut result: Vec<usize> = other
        .iter()
        .rev()
        .map(|&extent| {
            let i = position % extent.max(1);
            position /= extent.max(1);
            i
        })
        .collect();
    result.reverse();
    result
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_index_moves_with_the_shape() {
        assert_eq!(super::index_in(&[5, 1, 2], &[6, 2, 3], &[2, 3, 6]), [1, 2, 5]);
        assert_eq!(super::index_in(&[0, 1, 2], &[1, 2, 3], &[2, 3]), [1, 2]);
        assert_eq!(super::index_in(&[0], &[1], &[]), Vec::<usize>::new());
    }
}
