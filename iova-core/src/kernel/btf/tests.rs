use super::*;

#[test]
fn not_btf() {
    assert_eq!(Btf::parse(vec![0; 64]).unwrap_err(), BtfError::Magic);
    assert_eq!(Btf::parse(Vec::new()).unwrap_err(), BtfError::Damaged(0));
}
