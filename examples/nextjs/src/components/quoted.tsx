/** What somebody wrote, within a sentence: it may be written from right to left. */
export function Quoted({ text }: { readonly text: string }) {
  return (
    <>
      “<bdi>{text}</bdi>”
    </>
  );
}
