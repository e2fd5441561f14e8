/// What lies beyond the last cell of a grid. Cell centres are half a spacing inside of the face.
///
/// A stencil that reaches further than the next cell finds the mirror image of the cells inside: of the second one where
/// the first one's is written here.
///
/// As JSON: `"periodic"`, `{"fixed": 1.0}`, `{"dirichlet": 1.0}`, `{"neumann": 0.5}`; the name alone of the last three
/// means 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Edge {
    /// The cell at the other end. Both ends of an axis are periodic, or none.
    #[default]
    Periodic,
    /// A cell of this value, and more of them behind it.
    Fixed(f64),
    /// The face itself has this value: the cell outside is as far on the other side of it, `2 v - u`.
    Dirichlet(f64),
    /// The outward derivative at the face: the cell outside is `u + h g`, the next `u + 3 h g` with `u` of the second cell
    /// inside. Positive lets something in, 0 is insulated.
    Neumann(f64),
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Edge {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Name {
            Periodic,
            Fixed,
            Dirichlet,
            Neumann,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Valued {
            Fixed(f64),
            Dirichlet(f64),
            Neumann(f64),
        }
        #[derive(serde::Deserialize)]
        #[serde(
            untagged,
            expecting = "expected \"periodic\", \"fixed\", \"dirichlet\" or \"neumann\", or {\"dirichlet\": 1.0}"
        )]
        enum Given {
            Name(Name),
            Valued(Valued),
        }
        Ok(match Given::deserialize(from)? {
            Given::Name(Name::Periodic) => Self::Periodic,
            Given::Name(Name::Fixed) => Self::Fixed(0.0),
            Given::Name(Name::Dirichlet) => Self::Dirichlet(0.0),
            Given::Name(Name::Neumann) => Self::Neumann(0.0),
            Given::Valued(Valued::Fixed(value)) => Self::Fixed(value),
            Given::Valued(Valued::Dirichlet(value)) => Self::Dirichlet(value),
            Given::Valued(Valued::Neumann(value)) => Self::Neumann(value),
        })
    }
}
