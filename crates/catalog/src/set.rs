//! Closed lists of names, and small sets of them.

/// Declares an enum whose members have public names, and a set of them in
/// one integer.
macro_rules! named_set {
    (
        $(#[$enum_meta:meta])* enum $Item:ident;
        $(#[$set_meta:meta])* struct $Set:ident($Bits:ty);
        $( $(#[$meta:meta])* $Variant:ident = $name:literal, )+
    ) => {
        $(#[$enum_meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $Item { $( $(#[$meta])* $Variant, )+ }

        impl $Item {
            /// Every member, in the order in which they are listed.
            pub const ALL: &[Self] = &[ $( Self::$Variant, )+ ];

            /// The public name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$Variant => $name, )+ }
            }

            /// Finds a member by its public name.
            #[must_use]
            pub fn by_name(name: &str) -> Option<Self> {
                match name { $( $name => Some(Self::$Variant), )+ _ => None }
            }

            const fn bit(self) -> $Bits {
                1 << (self as $Bits)
            }
        }

        impl std::fmt::Display for $Item {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        $(#[$set_meta])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
        pub struct $Set($Bits);

        impl $Set {
            /// Nothing.
            pub const EMPTY: Self = Self(0);

            /// Just these.
            #[must_use]
            pub const fn of(items: &[$Item]) -> Self {
                let mut bits = 0;
                let mut rest = items;
                while let [first, tail @ ..] = rest {
                    bits |= first.bit();
                    rest = tail;
                }
                Self(bits)
            }

            /// Whether `item` is among them.
            #[must_use]
            pub const fn contains(self, item: $Item) -> bool {
                self.0 & item.bit() != 0
            }

            /// Whether all of `other` are among them.
            #[must_use]
            pub const fn contains_all(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// These and those.
            #[must_use]
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// What both have.
            #[must_use]
            pub const fn intersection(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }

            /// These without those.
            #[must_use]
            pub const fn difference(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }

            /// These and `item`.
            #[must_use]
            pub const fn with(self, item: $Item) -> Self {
                Self(self.0 | item.bit())
            }

            /// Adds `item`.
            pub fn insert(&mut self, item: $Item) {
                self.0 |= item.bit();
            }

            /// Takes `item` away.
            pub fn remove(&mut self, item: $Item) {
                self.0 &= !item.bit();
            }

            /// Whether there are none.
            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// How many there are.
            #[must_use]
            pub const fn len(self) -> usize {
                self.0.count_ones() as usize
            }

            /// The members, in listed order.
            pub fn iter(self) -> impl Iterator<Item = $Item> {
                $Item::ALL.iter().copied().filter(move |item| self.contains(*item))
            }

            /// The members' names, in listed order.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                self.iter().map($Item::name)
            }

            /// Reads names separated by spaces.
            ///
            /// # Errors
            /// The first name that is not a member's.
            pub fn parse(text: &str) -> Result<Self, String> {
                let mut set = Self::EMPTY;
                for name in text.split_ascii_whitespace() {
                    match $Item::by_name(name) {
                        Some(item) => set.insert(item),
                        None => return Err(name.to_owned()),
                    }
                }
                Ok(set)
            }
        }

        impl FromIterator<$Item> for $Set {
            fn from_iter<I: IntoIterator<Item = $Item>>(items: I) -> Self {
                let mut set = Self::EMPTY;
                for item in items {
                    set.insert(item);
                }
                set
            }
        }

        /// The names, separated by spaces: the form of the data files.
        impl std::fmt::Display for $Set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut gap = "";
                for name in self.names() {
                    write!(f, "{gap}{name}")?;
                    gap = " ";
                }
                Ok(())
            }
        }

        impl std::fmt::Debug for $Set {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_set().entries(self.iter()).finish()
            }
        }

        impl serde::Serialize for $Set {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $Set {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(|name| {
                    serde::de::Error::custom(format_args!("\"{name}\" is not a known name"))
                })
            }
        }
    };
}

pub(crate) use named_set;
