// Shows the file name of a block, such as ```python title=loadtest.py
for (const code of document.querySelectorAll('pre > code')) {
    const title = [...code.classList].find((name) => name.startsWith('title='));
    if (title) {
        const caption = document.createElement('div');
        caption.className = 'file-name';
        caption.textContent = title.slice('title='.length);
        const block = code.parentElement.closest('.code-block, pre');
        block.parentElement.insertBefore(caption, block);
    }
}
