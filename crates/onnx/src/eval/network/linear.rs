use crate::eval::Evaluation;
use crate::eval::layout::{broadcast, count, stretched};
use crate::eval::value::Value;

pub(super) fn gemm(of: &Evaluation<'_>) -> Option<Value> {
    let (a, b) = (of.input(0)?, of.input(1)?);
    let ([a_rows, a_columns], [b_rows, b_columns]) = (&a.dims[..], &b.dims[..]) else {
        return None;
    };
    let flag = |name| of.int(name).is_some_and(|flag| flag != 0);
    // Rows, columns, and what one step along each costs.
    let (rows, inner, down_a, along_a) = match flag("transA") {
        false => (*a_rows, *a_columns, *a_columns, 1),
        true => (*a_columns, *a_rows, 1, *a_columns),
    };
    let (depth, columns, down_b, along_b) = match flag("transB") {
        false => (*b_rows, *b_columns, *b_columns, 1),
        true => (*b_columns, *b_rows, 1, *b_columns),
    };
    if inner != depth {
        return None;
    }
    let (alpha, beta) = (of.float("alpha", 1.0), of.float("beta", 1.0));
    let (x, y) = (a.reals()?, b.reals()?);
    let mut sums = vec![0.0; rows * columns];
    for row in 0..rows {
        for k in 0..inner {
            let factor = alpha * x[row * down_a + k * along_a];
            for column in 0..columns {
                sums[row * columns + column] += factor * y[k * down_b + column * along_b];
            }
        }
    }
    let dims = vec![rows, columns];
    if let Some(c) = of.input(2) {
        if broadcast(&c.dims, &dims)? != dims {
            return None;
        }
        let c_values = c.reals()?;
        for (sum, at) in sums.iter_mut().zip(stretched(&c.dims, &dims)) {
            *sum += beta * c_values[at];
        }
    }
    Some(Value::real_of(a.element, dims, sums))
}

pub(super) fn matmul(of: &Evaluation<'_>) -> Option<Value> {
    let (a, b) = (of.input(0)?, of.input(1)?);
    let (a_vector, b_vector) = (a.dims.len() == 1, b.dims.len() == 1);
    let a_dims = if a_vector { [&[1], &a.dims[..]].concat() } else { a.dims.clone() };
    let b_dims = if b_vector { [&b.dims[..], &[1]].concat() } else { b.dims.clone() };
    let ([a_batch @ .., rows, inner], [b_batch @ .., depth, columns]) = (&a_dims[..], &b_dims[..])
    else {
        return None;
    };
    if inner != depth {
        return None;
    }
    let batch = broadcast(a_batch, b_batch)?;
    let (x, y) = (a.in_reals()?, b.in_reals()?);
    let mut sums = vec![0.0; count(&batch)? * rows * columns];
    let pairs = stretched(a_batch, &batch).into_iter().zip(stretched(b_batch, &batch));
    for (matrix, (i, j)) in pairs.enumerate() {
        let sums = &mut sums[matrix * rows * columns..][..rows * columns];
        let (x, y) = (&x[i * rows * inner..], &y[j * inner * columns..]);
        for row in 0..*rows {
            for k in 0..*inner {
                let factor = x[row * inner + k];
                for column in 0..*columns {
                    sums[row * columns + column] += factor * y[k * columns + column];
                }
            }
        }
    }
    let mut dims = batch;
    dims.extend((!a_vector).then_some(*rows));
    dims.extend((!b_vector).then_some(*columns));
    Value::of_reals(a.element, dims, sums)
}
