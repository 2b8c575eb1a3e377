//! Tile identities, widths, node places and paths (C2SP tlog-tiles).
//!
//! Path vectors are those of Tessera's `api/layout/paths_test.go` (1811ae1).

use cairn_tlog::hash::HASH_BYTES;
use cairn_tlog::tile::{NodeLocation, TileNodeError, bundles_for_size, tiles_for_size};
use cairn_tlog::{BundleId, Hash, NodeReader, TILE_WIDTH, TileId, TileNodes, TileReader};

use crate::oracle;

#[test]
fn tlog_tiles_must_write_the_published_paths() {
    let cases = [
        (TileId::full(0, 0), "tile/0/000"),
        (
            TileId {
                level: 0,
                index: 0,
                width: 255,
            },
            "tile/0/000.p/255",
        ),
        (TileId::full(15, 455_667), "tile/15/x455/667"),
        (
            TileId {
                level: 15,
                index: 123_456_789,
                width: 41,
            },
            "tile/15/x123/x456/789.p/41",
        ),
        (TileId::full(1, 1_234_067), "tile/1/x001/x234/067"),
        (
            TileId::full(63, u64::MAX),
            "tile/63/x018/x446/x744/x073/x709/x551/615",
        ),
    ];
    for (id, path) in cases {
        assert_eq!(id.to_string(), path);
        assert_eq!(path.parse(), Ok(id));
    }
}

#[test]
fn tlog_tiles_must_write_the_published_bundle_paths() {
    let cases = [
        (BundleId::at_size(256 / 256, 257), "tile/entries/001.p/1"),
        (BundleId::at_size(3 / 256, 257), "tile/entries/000"),
        (BundleId::at_size(251 / 256, 255), "tile/entries/000.p/255"),
        (
            Some(BundleId::full(123_456_789)),
            "tile/entries/x123/x456/789",
        ),
    ];
    for (id, path) in cases {
        assert_eq!(id.unwrap().to_string(), path);
        assert_eq!(path.parse().ok(), id);
    }
}

#[test]
fn tlog_tiles_must_reject_every_other_index_spelling() {
    for index in [
        "",
        "x001/x234/067.p/",
        "x001/x234/067.p",
        "x001/x234/",
        "x001/x234",
        "x001/",
        "x001",
        "x001/.p/abc",
        "001/002",
        "x001/0002",
        "x001/-002",
        "x000/001",
        "x1/002",
        "1",
        "0001",
        "+01",
        "x001//002",
        "/001",
        "001/",
        "x018/x446/x744/x073/x709/x551/616",
        "x999/x999/x999/x999/x999/x999/x999/999",
        "%30%30%30",
        "..",
        "../000",
        "..%2f000",
        "%2e%2e",
        "a%2Fb",
        "000?x=1",
        "０００",
    ] {
        assert!(
            format!("tile/0/{index}").parse::<TileId>().is_err(),
            "{index:?}"
        );
        assert!(
            format!("tile/entries/{index}").parse::<BundleId>().is_err(),
            "{index:?}"
        );
    }
}

#[test]
fn tlog_tiles_must_reject_levels_outside_0_to_63() {
    for level in ["64", "-1", "abc", "", "00", "01", "+1", "256", "entries"] {
        assert!(
            format!("tile/{level}/000").parse::<TileId>().is_err(),
            "{level:?}"
        );
    }
}

#[test]
fn tlog_tiles_must_reject_widths_outside_1_to_255() {
    for width in ["0", "256", "01", "-1", "", "+1", "1/", "1.p/1", "65537"] {
        assert!(
            format!("tile/0/000.p/{width}").parse::<TileId>().is_err(),
            "{width:?}"
        );
        assert!(
            format!("tile/entries/000.p/{width}")
                .parse::<BundleId>()
                .is_err(),
            "{width:?}"
        );
    }
}

#[test]
fn tlog_tiles_must_reject_other_prefixes() {
    for path in [
        "/tile/0/000",
        "tiles/0/000",
        "tile//000",
        "tile/0",
        "checkpoint",
        "Tile/0/000",
    ] {
        assert!(path.parse::<TileId>().is_err(), "{path:?}");
    }
    assert!("tile/0/000".parse::<BundleId>().is_err());
}

#[test]
fn tlog_tiles_must_give_the_published_widths_of_70000_and_256() {
    let last = |level| {
        tiles_for_size(70_000)
            .filter(move |id| id.level == level)
            .last()
            .unwrap()
    };
    assert_eq!(
        last(0),
        TileId {
            level: 0,
            index: 273,
            width: 112
        }
    );
    assert_eq!(
        last(1),
        TileId {
            level: 1,
            index: 1,
            width: 17
        }
    );
    assert_eq!(
        last(2),
        TileId {
            level: 2,
            index: 0,
            width: 1
        }
    );
    assert_eq!(tiles_for_size(70_000).count(), 274 + 2 + 1);
    let small: Vec<String> = tiles_for_size(256).map(|id| id.to_string()).collect();
    assert_eq!(small, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(tiles_for_size(0).count(), 0);
}

#[test]
fn tlog_tiles_must_not_serve_width_zero() {
    assert_eq!(TileId::at_size(0, 1, 256), None);
    assert_eq!(TileId::at_size(1, 0, 255), None);
    assert_eq!(TileId::at_size(0, u64::MAX, u64::MAX), None);
    assert_eq!(BundleId::at_size(0, 0), None);
    let bundles: Vec<BundleId> = bundles_for_size(300).collect();
    assert_eq!(
        bundles,
        [
            BundleId::full(0),
            BundleId {
                index: 1,
                width: 44
            }
        ]
    );
    assert_eq!(bundles[1].first_entry(), 256);
}

#[test]
fn nodes_lie_where_the_definition_says() {
    let place = NodeLocation::of(0, 257).unwrap();
    assert_eq!(
        (place.level, place.index, place.offset, place.count),
        (0, 1, 1, 1)
    );
    let place = NodeLocation::of(7, 3).unwrap();
    assert_eq!(
        (place.level, place.index, place.offset, place.count),
        (0, 1, 128, 128)
    );
    let place = NodeLocation::of(8, 3).unwrap();
    assert_eq!(
        (place.level, place.index, place.offset, place.count),
        (1, 0, 3, 1)
    );
    assert_eq!(NodeLocation::of(63, 0), None);
    assert_eq!(NodeLocation::of(200, 0), None);
    assert_eq!(NodeLocation::of(0, u64::MAX), None);
}

#[test]
fn a_node_is_folded_from_the_hashes_of_its_tile() {
    let leaves = oracle::leaves(200);
    let tile: Vec<u8> = leaves.iter().flat_map(|leaf| leaf.0).collect();
    for (level, index) in [(0, 199), (3, 5), (6, 2), (7, 0)] {
        let place = NodeLocation::of(level, index).unwrap();
        let (from, width) = ((index << level) as usize, 1 << level);
        assert_eq!(
            place.read(&tile),
            Some(oracle::root(&leaves[from..from + width]))
        );
    }
    assert_eq!(NodeLocation::of(7, 1).unwrap().read(&tile), None);
}

struct Short;

impl TileReader for Short {
    type Error = std::convert::Infallible;

    fn tile(&self, id: TileId) -> Result<Vec<u8>, Self::Error> {
        Ok(vec![0; id.byte_len() - HASH_BYTES])
    }
}

#[test]
fn tlog_tiles_must_reject_a_tile_of_the_wrong_length() {
    let nodes = TileNodes::new(Short, 300);
    let refused = nodes.node(0, 5).unwrap_err();
    assert!(matches!(
        refused,
        TileNodeError::TileLength { got: 8160, .. }
    ));
    assert!(matches!(
        nodes.node(0, 300),
        Err(TileNodeError::Missing { .. })
    ));
    assert!(matches!(
        nodes.node(8, 1),
        Err(TileNodeError::Missing { .. })
    ));
    assert_eq!(
        TileId::full(0, 0).byte_len(),
        usize::from(TILE_WIDTH) * size_of::<Hash>()
    );
}
